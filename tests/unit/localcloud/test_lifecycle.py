from __future__ import annotations

import os

from localcloud import lifecycle
from localcloud.layout import Layout

OTHERS = "tmpfs /run tmpfs rw 0 0\nnsfs /run/longshore/other/net nsfs rw 0 0\n"


def test_a_mount_of_the_environment_counts_as_left_and_others_do_not(layout: Layout) -> None:
    assert list(lifecycle.remains(layout, OTHERS)) == []
    own = f"{OTHERS}nsfs {layout.run}/net nsfs rw 0 0\n"
    assert list(lifecycle.remains(layout, own)) == [f"mount {layout.run}/net"]


def test_a_path_with_a_blank_is_read_as_the_kernel_writes_it(layout: Layout) -> None:
    line = f"overlay {layout.state}/a\\040b overlay rw 0 0\n"
    assert list(lifecycle.remains(layout, line)) == [f"mount {layout.state}/a b"]


def test_used_counts_what_is_on_the_disk(layout: Layout) -> None:
    layout.state.mkdir(parents=True)
    (layout.state / "data").write_bytes(b"x" * 10_000)
    (layout.state / "sparse").touch()
    os.truncate(layout.state / "sparse", 1 << 30)
    assert 10_000 <= lifecycle.used(layout.state) < 1 << 20
    assert lifecycle.used(layout.state / "nowhere") == 0


def test_a_family_holds_the_process_itself() -> None:
    assert os.getpid() in lifecycle.family(os.getppid())
