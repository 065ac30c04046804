"""Work divided among processes: a small program that is started again for each shard."""

import sys

import pytest

from autrainer_ext.serving.shards import (
    Shards,
    StartedShards,
    SubmittedJobs,
    python_command,
    start_processes,
)

PROGRAM = """
import os, signal, sys
from pathlib import Path
from autrainer_ext.serving.shards import Shard

index, count, folder = sys.argv[-3:]
work, fault = Path(sys.argv[1]), sys.argv[2]

def compute(item):
    if item == 5 and fault == "always":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 5 and fault == "once" and not (work / "killed").exists():
        (work / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 5 and fault == "error":
        sys.exit("Item 5 is wrong.")
    with open(work / "computed", "a") as computed:
        computed.write(f"{item} ")
    return item**2

Shard(int(index), int(count), Path(folder)).map(compute, [])
"""


@pytest.fixture
def divide(tmp_path):
    """Square the numbers from 0 to 9 in shards."""
    program, work = tmp_path / "program.py", tmp_path / "work"
    program.write_text(PROGRAM)
    work.mkdir()

    def divide(count, fault="", start=start_processes):
        command = [sys.executable, str(program), str(work), fault]
        shards = StartedShards(command, count, beside=work, start=start, quiet=True)
        return list(shards.map(lambda item: pytest.fail("computed here"), range(10)))

    yield divide
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program.py", "work"]


@pytest.fixture
def computed(tmp_path):
    """Items that were computed, sorted."""
    return lambda: sorted(map(int, (tmp_path / "work/computed").read_text().split()))


SQUARES = [item**2 for item in range(10)]


def test_one_process_computes_as_results_are_drawn():
    drawn = Shards().map(lambda item: 1 / item, [1, 0])
    assert next(drawn) == 1
    with pytest.raises(ZeroDivisionError):
        next(drawn)


@pytest.mark.parametrize("count", [1, 3, 12])
def test_results_come_in_the_order_of_the_items_and_each_is_computed_once(divide, computed, count):
    assert divide(count) == SQUARES
    assert computed() == list(range(10))


def test_killed_shard_is_started_again_and_keeps_what_it_has_done(divide, computed):
    assert divide(2, "once") == SQUARES
    assert computed() == list(range(10))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("always", "Shard 2 of 2 ended with exit code -9: no output."),
        ("error", "Shard 2 of 2 ended with exit code 1: Item 5 is wrong."),
    ],
)
def test_failing_shard_is_named(divide, fault, message):
    with pytest.raises(ValueError, match=message):
        divide(2, fault)


def test_shards_run_on_one_thread_unless_the_user_chose(tmp_path, monkeypatch):
    code = "import os; print(os.environ['OMP_NUM_THREADS'])"
    for chosen in (None, "3"):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if chosen:
            monkeypatch.setenv("OMP_NUM_THREADS", chosen)
        (job,) = start_processes([[sys.executable, "-c", code]], [tmp_path / "log"])
        job.wait()
        assert (tmp_path / "log").read_text().strip() == (chosen or "1")


def test_command_line_is_that_of_this_environment():
    assert python_command(["-h"]) == [sys.executable, "-m", "autrainer_ext", "-h"]


def test_jobs_of_submitit_on_this_machine(divide, computed):
    pytest.importorskip("submitit", reason="needs autrainer-ext[cluster]")
    start = SubmittedJobs("local", {"timeout_min": 5, "name": "test"})
    assert divide(2, "once", start) == SQUARES
    assert computed() == list(range(10))


@pytest.mark.slurm
def test_jobs_of_slurm(divide, computed, slurm):
    start = SubmittedJobs("slurm", {"timeout_min": 5, "name": "test", "cpus_per_task": 1})
    assert divide(2, "once", start) == SQUARES
    assert computed() == list(range(10))
    with pytest.raises(ValueError, match="exit code 1: Item 5 is wrong"):
        divide(2, "error", start)


@pytest.mark.slurm
def test_job_that_slurm_ends_is_started_again(divide, computed, slurm):
    """As on a node that fails: the job leaves the queue and no result."""
    start = SubmittedJobs("slurm", {"timeout_min": 5, "name": "test", "cpus_per_task": 1})
    cancelled = []

    def start_and_cancel_one(commands, logs):
        jobs = start(commands, logs)
        if not cancelled:
            cancelled.append(jobs[1].job.cancel())
        return jobs

    assert divide(2, start=start_and_cancel_one) == SQUARES
    assert computed() == list(range(10))
