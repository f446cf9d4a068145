"""Which workloads there are, by the settings and by a Procfile."""

from __future__ import annotations

import pytest

from longshore.errors import BadInput
from longshore.rollout.workloads import wanted
from longshore.settings.workloads import WorkloadTable

PROCESSES = {
    "web": ["sh", "-c", "exec gunicorn"],
    "worker": ["sh", "-c", "exec rq"],
    "release": ["sh", "-c", "exec migrate"],
    "mail-out": ["sh", "-c", "exec mail"],
}


def test_a_procfile_has_workers_and_a_job_before_the_rollout() -> None:
    found, said = wanted({}, PROCESSES)
    assert dict(found) == {
        "worker": WorkloadTable(kind="worker", command=PROCESSES["worker"]),
        "release": WorkloadTable(kind="job", command=PROCESSES["release"]),
        "mail-out": WorkloadTable(kind="worker", command=PROCESSES["mail-out"]),
    }
    assert said == "from the Procfile: worker (a worker), release (a job before the rollout), mail-out (a worker)"


def test_the_shell_of_a_process_reads_its_line_as_it_is() -> None:
    """Kubernetes puts a variable in place of `$(NAME)` in a command, and makes one `$` of two."""
    ((_, table),), _ = wanted({}, {"mail": ["sh", "-c", "exec rq -n $$-$(hostname) -q $QUEUE ${A}$"]})
    assert table.command == ["sh", "-c", "exec rq -n $$$-$$(hostname) -q $QUEUE ${A}$"]
    given = WorkloadTable(kind="worker", command=["rq", "-q", "$(QUEUE)"])
    assert dict(wanted({"mail": given}, {})[0])["mail"] == given, "in the settings it is as Kubernetes has it"


def test_the_settings_have_the_last_word_and_the_procfile_the_command() -> None:
    tables = {"worker": WorkloadTable(kind="worker", replicas=4), "release": WorkloadTable(kind="job", command=["x"])}
    found, said = wanted(tables, PROCESSES)
    assert dict(found)["worker"] == WorkloadTable(kind="worker", replicas=4, command=PROCESSES["worker"])
    assert dict(found)["release"].command == ["x"]
    assert said == "from the Procfile: mail-out (a worker)"
    assert wanted({}, {}) == ((), "")
    assert wanted({"web": WorkloadTable(kind="web", replicas=2)}, PROCESSES)[0][0][1].command == []


def test_a_workload_without_a_command_is_a_sentence() -> None:
    with pytest.raises(BadInput, match=r"nothing says what \[workloads.mail\] in longshore.toml runs"):
        wanted({"mail": WorkloadTable(kind="worker")}, PROCESSES)
    with pytest.raises(BadInput, match="the Procfile's process a-very-long-name-for-a-process would need a name of"):
        wanted({}, {"a-very-long-name-for-a-process": ["x"]})
