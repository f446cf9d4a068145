from __future__ import annotations

import os

from longshore.local import lifecycle
from longshore.local.place import Place

OTHERS = "tmpfs /run tmpfs rw 0 0\nnsfs /run/longshore/other/net nsfs rw 0 0\n"


def test_a_mount_of_the_environment_counts_as_left_and_others_do_not(place: Place) -> None:
    assert list(lifecycle.remains(place, OTHERS)) == []
    own = f"{OTHERS}nsfs {place.run}/net nsfs rw 0 0\n"
    assert list(lifecycle.remains(place, own)) == [f"mount {place.run}/net"]


def test_a_path_with_a_blank_is_read_as_the_kernel_writes_it(place: Place) -> None:
    line = f"overlay {place.state}/a\\040b overlay rw 0 0\n"
    assert list(lifecycle.remains(place, line)) == [f"mount {place.state}/a b"]


def test_used_counts_what_is_on_the_disk(place: Place) -> None:
    place.state.mkdir(parents=True)
    (place.state / "data").write_bytes(b"x" * 10_000)
    (place.state / "sparse").touch()
    os.truncate(place.state / "sparse", 1 << 30)
    assert 10_000 <= lifecycle.used(place.state) < 1 << 20
    assert lifecycle.used(place.state / "nowhere") == 0


def test_a_family_holds_the_process_itself() -> None:
    assert os.getpid() in lifecycle.family(os.getppid())
