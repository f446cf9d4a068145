"""What longshore.toml says of workloads, and each thing in it that makes no sense, as a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.settings.load import load
from longshore.settings.model import Settings
from longshore.settings.workloads import WorkloadTable, sized

BASE = '[project]\nname = "shop"\n[environments.blue]\n[environments.red]\nprotected = true\n'
HOME = {"HOME": "/home/somebody"}


def read(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "longshore.toml").write_text(BASE + text)
    return load(folder, HOME | environ)


def test_each_kind_says_what_it_has(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[workloads.mail]\nkind = "worker"\ncommand = ["rq", "worker"]\nmin = 2\nmax = 9\ndrain = 300\ncpu = "250m"\n'
        '[workloads.report]\nkind = "cron"\ncommand = ["flask", "report"]\nschedule = "@daily"\n'
        '[workloads.seed]\nkind = "job"\ncommand = ["flask", "seed"]\nwhen = "after"\n'
        '[workloads.site]\nkind = "web"\nreplicas = 4\nmemory = "1Gi"\n',
    )
    assert list(settings.workloads) == ["mail", "report", "seed", "site"]
    expected = WorkloadTable(kind="worker", command=["rq", "worker"], min=2, max=9, drain=300.0, cpu="250m")
    assert settings.workloads["mail"] == expected
    assert read(tmp_path, "").workloads == {}


WRONG = {
    'x = 1\nkind = "worker"': "workloads.w.x is not a setting",
    'command = ["a"]': "workloads.w.kind is missing",
    'kind = "deamon"': "workloads.w.kind is 'deamon', not one of 'web', 'worker', 'cron', 'job'",
    'kind = "worker"\ncommand = "rq worker"': "workloads.w.command is 'rq worker', not a list",
    'kind = "worker"\nreplicas = -1': "workloads.w.replicas is -1, not a number of pods from 0 to 1000",
    'kind = "worker"\nmin = 0\nmax = 2': "workloads.w.min is 0, not a number of pods from 1 to 1000",
    'kind = "worker"\ncpu = "much"': "workloads.w.cpu is 'much', not cores as text",
    'kind = "worker"\nmemory = "1GB"': "workloads.w.memory is '1GB', not memory as text",
    'kind = "worker"\ndrain = 1e9': "workloads.w.drain is 1000000000.0, not 0 to 86400 seconds",
    'kind = "cron"\nschedule = "at noon"': "workloads.w.schedule is 'at noon', not five fields of cron",
    'kind = "cron"\nschedule = "0 0 * * 7"': "workloads.w.schedule has the weekday '7', which is none",
    'kind = "cron"\nschedule = "60 0 * * *"': "workloads.w.schedule has the minute '60', which is none",
    'kind = "cron"\nschedule = "0 22-4 * * *"': "workloads.w.schedule has the hour '22-4', which is none",
    'kind = "cron"\nschedule = "0 0 1,32 * *"': "workloads.w.schedule has the day '32', which is none",
    'kind = "cron"\nschedule = "0 0 * 0 *"': "workloads.w.schedule has the month '0', which is none",
    'kind = "cron"\nschedule = "*/0 * * * *"': "workloads.w.schedule has the minute '*/0', which is none",
    'kind = "cron"\nschedule = "0 0 L * *"': "workloads.w.schedule has the day 'L', which is none",
    'kind = "cron"\nschedule = "0 0 * * mon#1"': "workloads.w.schedule is '0 0 * * mon#1', not five fields",
    'kind = "cron"': 'workloads.w.kind is "cron", and nothing says when it runs',
    'kind = "job"\nwhen = "during"': "workloads.w.when is 'during', not one of",
    'kind = "worker"\ndeadline = 60': 'workloads.w.deadline is nothing that the kind "worker" has',
    'kind = "worker"\nschedule = "@daily"': 'workloads.w.schedule is nothing that the kind "worker" has',
    'kind = "worker"\nwhen = "after"': 'workloads.w.when is nothing that the kind "worker" has',
    'kind = "web"\ndrain = 5': 'workloads.w.drain is nothing that the kind "web" has',
    'kind = "job"\nreplicas = 2': 'workloads.w.replicas is nothing that the kind "job" has',
    'kind = "worker"\nreplicas = 2\nmin = 1\nmax = 3': "workloads.w.replicas stands beside `min` or `max`",
    'kind = "worker"\nmin = 2': "workloads.w.min stands alone",
    'kind = "worker"\nmax = 2': "workloads.w.max stands alone",
    'kind = "worker"\nmin = 3\nmax = 2': "workloads.w.min is 3, more than `max`, which is 2",
    'kind = "web"\nreplicas = 0': "workloads.w.replicas is 0, and then nothing serves",
    'kind = "web"\n[workloads.v]\nkind = "web"': 'workloads.v.kind is "web", and so is that of w',
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.items(), ids=range(len(WRONG)))
def test_what_makes_no_sense_is_a_sentence_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path, f"[workloads.w]\n{text}\n")
    assert sentence in refused.value.sentence
    assert refused.value.sentence.startswith("longshore.toml:")
    assert refused.value.hint


FINE = ["17 3 * * *", "*/5 0-23/2 1,15 JAN-mar,12 ?", "5/15 * * * Mon-Fri", "0 0 31 dec sun,6", "00 08 * * 0", "@daily"]


@pytest.mark.parametrize("schedule", FINE)
def test_a_schedule_may_be_whatever_kubernetes_reads(tmp_path: Path, schedule: str) -> None:
    settings = read(tmp_path, f'[workloads.w]\nkind = "cron"\nschedule = "{schedule}"\n')
    assert settings.workloads["w"].schedule == schedule


def test_github_refuses_the_same_schedules(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="drift has the weekday '7', which is none") as refused:
        read(tmp_path, '[pipeline]\ndrift = "0 3 * * 7"\n')
    assert refused.value.hint == "a weekday is from 0, Sunday, to 6, or SUN to SAT"
    assert read(tmp_path, '[pipeline]\ndrift = "0 3 * * 0"\n').pipeline.drift


@pytest.mark.parametrize("name", ["Worker", "a_b", "-a", "a" * 21])
def test_a_name_becomes_part_of_kubernetes_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="not a name of 1 to 20 lower-case letters"):
        read(tmp_path, f'[workloads.{name}]\nkind = "worker"\n')


def test_a_variable_overrides_a_workload_but_not_for_a_protected_environment(tmp_path: Path) -> None:
    text = '[workloads.mail]\nkind = "worker"\ncommand = ["rq"]\n'
    settings = read(tmp_path, text, LONGSHORE__WORKLOADS__MAIL__REPLICAS="3")
    assert settings.workloads["mail"].replicas == 3
    assert settings.environment("blue")
    with pytest.raises(BadInput, match="red is protected"):
        settings.environment("red")


SIZES = """[workloads.mail]
kind = "worker"
replicas = 1
cpu = "100m"
[workloads.report]
kind = "cron"
schedule = "@daily"
"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("replicas = 5", {"replicas": 5, "cpu": "100m"}),
        ("replicas = 0", {"replicas": 0, "cpu": "100m"}),
        ('min = 2\nmax = 9\ncpu = "1"', {"min": 2, "max": 9, "cpu": "1"}),
        ("", {"replicas": 1, "cpu": "100m"}),
    ],
)
def test_an_environment_has_sizes_of_its_own(tmp_path: Path, said: str, expected: dict[str, object]) -> None:
    settings = read(tmp_path, f"{SIZES}[environments.red.workloads.mail]\n{said}\n")
    assert sized(settings.workloads, settings.environment("red").workloads) == {
        "mail": WorkloadTable(kind="worker", **expected),  # type: ignore[arg-type]
        "report": settings.workloads["report"],
    }
    assert sized(settings.workloads, settings.environment("blue").workloads) == settings.workloads


def test_a_range_in_general_is_a_number_in_one_environment(tmp_path: Path) -> None:
    text = '[workloads.mail]\nkind = "worker"\nmin = 2\nmax = 9\n[environments.blue.workloads.mail]\nreplicas = 1\n'
    settings = read(tmp_path, text)
    assert sized(settings.workloads, settings.environment("blue").workloads) == {
        "mail": WorkloadTable(kind="worker", replicas=1)
    }


MISFITS = {
    "[environments.red.workloads.mial]\nreplicas = 2": "environments.red.workloads.mial is no [workloads.NAME]",
    "[environments.red.workloads.report]\nreplicas = 2": 'replicas is nothing that the kind "cron" has',
    "[environments.red.workloads.mail]\nmin = 2": "environments.red.workloads.mail.min stands alone",
    "[environments.red.workloads.mail]\nreplicas = 2\nmin = 2\nmax = 3": "mail.replicas stands beside `min` or `max`",
    '[environments.red.workloads.mail]\nkind = "cron"': "environments.red.workloads.mail.kind is not a setting",
    '[environments.red.workloads.mail]\ncommand = ["a"]': "environments.red.workloads.mail.command is not a setting",
}


@pytest.mark.parametrize(("text", "sentence"), MISFITS.items(), ids=range(len(MISFITS)))
def test_a_size_that_makes_no_sense_is_a_sentence_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path, f"{SIZES}{text}\n")
    assert sentence in refused.value.sentence
    assert refused.value.sentence.startswith("longshore.toml:1")
    assert refused.value.hint
