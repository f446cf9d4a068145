"""What a Procfile says, and how its commands are run."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.image import procfile
from tests.unit.sources import snapshot_of


def test_each_line_is_a_process(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text(
        "# ours\nweb: gunicorn shop:app -b :$PORT\r\nworker:rq worker  \n\nbroken\nMail_Out: python mail.py --to a:b\n"
    )
    assert procfile.processes(snapshot_of(tmp_path)) == {
        "web": ["sh", "-c", "exec gunicorn shop:app -b :$PORT"],
        "worker": ["sh", "-c", "exec rq worker"],
        "mail-out": ["sh", "-c", "exec python mail.py --to a:b"],
    }


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("pipenv run gunicorn shop:app", "exec gunicorn shop:app"),
        ("A=1 uv run manage.py serve", "A=1 exec python manage.py serve"),
        ("poetry run flask db upgrade && poetry run gunicorn a:b", "flask db upgrade && exec gunicorn a:b"),
        ("uv run --frozen --no-dev gunicorn a:b", "exec gunicorn a:b"),
        ("uv run --frozen --with x gunicorn a:b", "exec uv run --frozen --with x gunicorn a:b"),
        ("./uv run gunicorn", "exec ./uv run gunicorn"),
    ],
)
def test_what_is_installed_runs_without_the_tool_that_installed_it(tmp_path: Path, written: str, run: str) -> None:
    (tmp_path / "Procfile").write_text(f"web: {written}\n")
    assert procfile.processes(snapshot_of(tmp_path)) == {"web": ["sh", "-c", run]}


def test_a_script_of_the_pipfile_is_what_that_says(tmp_path: Path) -> None:
    (tmp_path / "Pipfile").write_text('[scripts]\nup = "flask db upgrade"\n\n[packages]\nflask = "*"\n')
    (tmp_path / "Procfile").write_text("release: pipenv run up\nweb: pipenv run flask run\n")
    found = procfile.processes(snapshot_of(tmp_path))
    assert found == {"release": ["sh", "-c", "exec flask db upgrade"], "web": ["sh", "-c", "exec flask run"]}


def test_a_byte_order_mark_hides_no_process(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):  # the second is what PowerShell's `>` writes
        (tmp_path / "Procfile").write_bytes("worker: rq\r\nWeb: gunicorn a:b\r\n".encode(encoding))
        assert list(procfile.processes(snapshot_of(tmp_path))) == ["worker", "web"]


@pytest.mark.parametrize("twice", ["mail", "Mail", "mail_out: a\nMail-Out"])
def test_of_two_processes_of_one_name_none_is_left_out(tmp_path: Path, twice: str) -> None:
    """Heroku takes the last one; names with capitals or underscores are one and the same in Kubernetes."""
    (tmp_path / "Procfile").write_text(f"mail: rq worker\nweb: x\n{twice}: rq worker low\n")
    name = "mail-out" if "out" in twice else "mail"
    with pytest.raises(BadInput, match=f"the Procfile names {name} twice"):
        procfile.processes(snapshot_of(tmp_path))


def test_without_a_procfile_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    assert procfile.processes(snapshot_of(tmp_path)) == {}


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("rq worker", "exec rq worker"),
        ("gunicorn 'shop:create_app()'", "exec gunicorn 'shop:create_app()'"),
        ('celery -A "shop:make(a;b)" worker', 'exec celery -A "shop:make(a;b)" worker'),
        ("rq worker > /tmp/log 2>&1", "exec rq worker > /tmp/log 2>&1"),
        ("rq worker -n $(hostname)-`date; date`", "exec rq worker -n $(hostname)-`date; date`"),
        ("gunicorn -w $((2 * $(nproc) + 1)) a:b", "exec gunicorn -w $((2 * $(nproc) + 1)) a:b"),
        ("rq worker # mail; low (later)", "exec rq worker # mail; low (later)"),
        ("rq worker a\\;b", "exec rq worker a\\;b"),
        ("A=1 B='x; y' rq worker", "A=1 B='x; y' exec rq worker"),
        ("flask db upgrade && gunicorn a:b", "flask db upgrade && exec gunicorn a:b"),
        ("cd src; A=1 rq worker --burst", "cd src; A=1 exec rq worker --burst"),
        ("memcached & rq worker", "memcached & exec rq worker"),
    ],
)
def test_the_program_that_stays_takes_the_shells_place_so_that_signals_reach_it(line: str, command: str) -> None:
    """Debian's shell does not do so by itself, and as the first process of a container it ignores SIGTERM."""
    assert procfile.shell(line) == ["sh", "-c", command]


@pytest.mark.parametrize(
    "command",
    [
        "exec rq",
        "a | b",
        "a && b | c",
        "(a; b)",
        "a && (b)",
        "if a; then b; fi",
        "for i in 1 2; do a; done",
        "{ a; b; } > log",
        "a & b & wait",
        "trap 'kill 0' TERM; a & b",
        "A=1",
        "a; ",
        ". ./env",
        "! a",
        "echo 'it",
    ],
)
def test_what_the_shell_itself_has_to_do_stays_its_own(command: str) -> None:
    assert procfile.shell(command) == ["sh", "-c", command]
