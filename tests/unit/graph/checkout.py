"""A checkout with one step, whose results a cache keeps."""

from __future__ import annotations

from pathlib import Path

from longshore.graph.cache import Cache
from longshore.graph.inputs import Inputs
from longshore.graph.steps import Progress, Result, Step, Values
from tests.unit.sources import snapshot_of

REPORT = ".longshore/report/junit.xml"


class Shelf:
    """A store that checkouts share, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def put(self, name: str, data: bytes) -> None:
        self.kept[name] = data


class Checkout:
    def __init__(self, root: Path, remote: Shelf | None = None, limit: int = 1 << 20, key: bytes = b"") -> None:
        self.root, self.warnings, self.runs, self.key = root, list[str](), 0, key
        self.remote, self.limit = remote, limit
        root.mkdir(exist_ok=True)
        (root / "a.py").write_text("one")
        self.step = Step(
            name="test", title="test", run=self._work, reads=Inputs(files=("*.py",), tools=()), reports=(REPORT,)
        )

    def _work(self, progress: Progress, values: Values) -> Result:
        self.runs += 1
        (self.root / REPORT).parent.mkdir(parents=True, exist_ok=True)
        (self.root / REPORT).write_text(f"<junit of {(self.root / 'a.py').read_text()}>")
        return Result(note="3 tests")

    def open(self) -> Cache:
        """The cache as another run sees it."""
        return Cache(
            folder=self.root / ".longshore" / "cache",
            root=self.root,
            sources=lambda: snapshot_of(self.root),
            remote=self.remote,
            warn=self.warnings.append,
            limit=self.limit,
            key=self.key,
        )

    def run(self) -> str:
        """Run the step unless the cache knows it; return the reason for which it did not run."""
        cache = self.open()
        state = cache.look(self.step, Values())
        if not state.reason:
            cache.keep(self.step, state, self.step.run(lambda *words: None, Values()), 1.5)
        cache.close()
        return state.reason

    def only(self, kind: str) -> Path:
        return next((self.root / ".longshore" / "cache" / kind).iterdir())
