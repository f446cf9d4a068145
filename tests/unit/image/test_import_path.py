"""Where Python looks for the application, and what its modules are called."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.unit.image.made import FASTAPI, FLASK, made, served


def test_a_folder_that_the_settings_name_may_be_called_as_one_that_is_passed_over(tmp_path: Path) -> None:
    files = {"examples/shop/__init__.py": "", "examples/shop/app.py": f"from .config import x\n{FLASK}"}
    assert served(tmp_path, files, path="examples/shop")[-1] == "shop.app:app"
    assert served(tmp_path / "other", {"worker/hello.py": FLASK}, path="worker")[-1] == "hello:app"


def test_a_folder_that_is_no_package_is_on_the_path(tmp_path: Path) -> None:
    files = {"backend/app.py": f"from models import db\n{FLASK}", "backend/requirements.txt": "flask\n"}
    settings = {"path": "backend", "requirements": "backend/requirements.txt"}
    assert served(tmp_path, files, **settings)[-1] == "app:app"
    assert "ENV PYTHONPATH=/srv/backend" in made(tmp_path, files, **settings)
    assert "ENV PYTHONPATH=/srv/backend" in made(tmp_path, files), "wherever it is said to be"
    (tmp_path / "backend" / "__init__.py").touch()
    assert served(tmp_path, files, **settings)[-1] == "backend.app:app"
    assert not any("PYTHONPATH" in line for line in made(tmp_path, files, **settings))


@pytest.mark.parametrize(
    ("files", "target", "root"),
    [
        (
            {
                "backend/app.py": f"from models import db\n{FLASK}",
                "backend/models/__init__.py": "from .user import U\n",
            },
            "app:app",
            "backend",
        ),
        ({"backend/app/main.py": f"from app.core import x\n{FASTAPI}"}, "app.main:app", "backend"),
        ({"backend/app/__init__.py": "", "backend/app/main.py": FASTAPI}, "app.main:app", "backend"),
        ({"backend/app/web/run.py": f"from ..core import x\n{FLASK}"}, "app.web.run:app", "backend"),
        ({"backend/app/main.py": f"from backend.app.core import x\n{FLASK}"}, "backend.app.main:app", ""),
        ({"backend/app.py": FLASK, "backend/tests/test_app.py": "from backend.app import app\n"}, "app:app", "backend"),
        ({"flask/app.py": FLASK}, "app:app", "flask"),
        ({"my app/main.py": FLASK}, "main:app", "my app"),
        (
            {"backend/__init__.py": "", "backend/app.py": f"from game import x\n{FLASK}", "backend/game.py": "x = 1\n"},
            "app:app",
            "backend",
        ),
        ({"shop/__init__.py": f"from flask_login import x\n{FLASK}"}, "shop:app", ""),
        ({"env/lib/site-packages/a/__init__.py": FLASK, "shop/__init__.py": FLASK}, "shop:app", ""),
        ({"shop/shop/__init__.py": "", "shop/shop/web.py": f"from shop.db import x\n{FLASK}"}, "shop.web:app", "shop"),
        ({"a/shop/shop/__init__.py": f"from shop.db import x\n{FLASK}"}, "shop:app", "a/shop"),
        ({"shop/shop/web.py": f"from shop.shop.db import x\n{FLASK}"}, "shop.shop.web:app", ""),
        ({"src/main.py": f"from .config import x\n{FLASK}"}, "src.main:app", "src"),
        ({"src/main.py": f"from src.config import x\n{FLASK}"}, "src.main:app", "src"),
        ({"src/__init__.py": "", "src/main.py": f"from .config import x\n{FLASK}"}, "src.main:app", "src"),
    ],
)
def test_python_looks_where_the_imports_begin(tmp_path: Path, files: dict[str, str], target: str, root: str) -> None:
    assert served(tmp_path, files)[-1] == target
    paths = [line for line in made(tmp_path, files) if line.startswith("ENV PYTHONPATH=")]
    assert paths == ([f"ENV PYTHONPATH={shlex.quote(f'/srv/{root}')}"] if root else [])
