"""ECR deletes no image that a recorded release may go back to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

from msgspec import Meta

from longshore.settings.environments import EnvironmentTable

SOURCE = (Path(__file__).parents[3] / "terraform" / "registry.tf").read_text(encoding="utf-8")


def test_as_many_images_stay_as_releases_can_be_kept() -> None:
    kept: Any = get_type_hints(EnvironmentTable, include_extras=True)["keep_releases"]
    (most,) = (meta.le for meta in get_args(kept) if isinstance(meta, Meta))
    counts = [int(count) for count in re.findall(r'"imageCountMoreThan"\s+countNumber = (\d+)', SOURCE)]
    assert counts == [most]
