from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.packages import INTERRUPTED, NEEDED, POLICY_TEXT, Meter, Package, install, install_line, no_services
from longshore.errors import CommandFailed
from longshore.process.command import Command

Said = list[tuple[str, int | None, int | None]]


def test_downloading_is_the_first_half_and_installing_the_second() -> None:
    said: Said = []
    meter = Meter(lambda *words: said.append(words))
    for line in (
        "Reading package lists...",
        "dlstatus:1:40.5:Retrieving file 1 of 4 (12s remaining)",
        "dlstatus:1:40.9:Retrieving file 1 of 4 (12s remaining)",
        "pmstatus:dpkg-exec:0:Running dpkg",
        "pmstatus:runc:83.3333:Configuring runc (amd64)",
        "pmstatus:libc6:amd64:10.0:a package that names its architecture",
        "conffile: 12: 'a' 'b'",
    ):
        meter.see(line)
    assert said == [
        ("Retrieving file 1 of 4 (12s remaining)", 20, 100),
        ("dpkg-exec: Running dpkg", 50, 100),
        ("runc: Configuring runc (amd64)", 91, 100),
    ]


def test_no_service_starts_while_packages_install(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with no_services(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o777 == 0o755
    assert not policy.exists()


def test_the_policy_goes_away_when_the_installation_fails(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with pytest.raises(KeyboardInterrupt), no_services(policy):
        raise KeyboardInterrupt
    assert not policy.exists()


def test_a_policy_that_a_killed_run_left_goes_away_too(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(POLICY_TEXT)
    with no_services(policy):
        pass
    assert not policy.exists()


def test_somebody_elses_policy_stays_as_it_is(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    with no_services(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_package_is_there_when_one_of_its_programs_is(tmp_path: Path) -> None:
    package = Package(name="plugins", programs=(str(tmp_path / "bridge"), "bridge-elsewhere"), why="")
    assert not package.installed(str(tmp_path))
    (program := tmp_path / "bridge-elsewhere").touch(mode=0o755)
    assert package.installed(str(tmp_path))
    program.rename(tmp_path / "bridge")
    assert package.installed("")


def test_what_a_person_is_told_to_type_installs_everything() -> None:
    line = install_line(NEEDED)
    assert line.startswith("apt-get update && apt-get install --yes --no-install-recommends containerd runc ")
    assert all(package.why and package.name in line.split() for package in NEEDED)


class Apt:
    """Refuses to install until dpkg has finished what was interrupted, if it was."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal, self.ran = refusal, list[str]()

    def run(self, command: Command) -> None:
        program = command.argv[4]
        self.ran.append(program)
        if program == "dpkg":
            self.refusal = ""
        elif self.refusal:
            raise CommandFailed("apt-get", 100, tail=self.refusal)


def test_dpkg_is_asked_for_nothing_where_apt_can_install() -> None:
    """It does not wait for the lock of another installation, as apt does."""
    apt = Apt()
    install(["nginx-light"], apt.run)
    assert apt.ran == ["apt-get"]


def test_what_a_killed_installation_left_is_finished_first() -> None:
    apt = Apt(f"E: {INTERRUPTED}, you must manually run 'dpkg --configure -a' to correct the problem.")
    install(["nginx-light"], apt.run)
    assert apt.ran == ["apt-get", "dpkg", "apt-get"]


def test_another_refusal_is_nothing_that_dpkg_finishes() -> None:
    apt = Apt("E: Unable to locate package nginx-light")
    with pytest.raises(CommandFailed):
        install(["nginx-light"], apt.run)
    assert apt.ran == ["apt-get"]
