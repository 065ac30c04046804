"""Work divided among processes of this machine or jobs of a cluster.

    items -> shards, a process each -> a file per finished item -> results in the order of the items

A shard is the command itself, started again with `--shard K N FOLDER`: it does the same up to the
division, reads the items from the folder, computes every Nth and ends. The first call waits for all
shards, starts those that were killed again, and continues with the results as if it had computed
them: what follows is the same code as in one process, and so are its tables. The files of finished
items are pickles. They are in a folder that the first call creates, passes on and removes, so
nobody else's are ever read.
"""

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from tqdm import tqdm

from autrainer_ext.atomic import atomic_file, remove, remove_leftovers, temporary_path

Item = TypeVar("Item")
Result = TypeVar("Result")

_ATTEMPTS = 3
_ITEMS = "items.pickle"
_COUNT_SECONDS = 2  # between two counts of finished items
_QUEUE_SECONDS = 10  # between two questions to the queue of a cluster


class Shards:
    """All items in this process; the sub-classes divide them.

    Attributes:
        has_bar: Whether `map` shows the progress itself.
    """

    has_bar: ClassVar[bool] = False

    def map(
        self, compute: Callable[[Item], Result], items: Sequence[Item], *, name: str = "Shards"
    ) -> Iterator[Result]:
        """Compute a result for each item.

        Args:
            compute: Function of one item, independent of other items. What it returns is pickled
                where items are divided.
            items: Items; those of a shard are given by the process that started it.
            name: Text before the progress bar of divided work.

        Returns:
            Results in the order of the items, computed when they are drawn.
        """
        return map(compute, items)


class Shard(Shards):
    """One part of the items, in a process that ends with it.

    Args:
        index: Number of the shard, from 0.
        count: Number of shards.
        folder: Folder for the results.
    """

    def __init__(self, index: int, count: int, folder: Path) -> None:
        self.index = index
        self.count = count
        self.folder = folder

    def map(
        self, compute: Callable[[Item], Result], items: Sequence[Item], *, name: str = "Shards"
    ) -> Iterator[Result]:
        """Write a file for every item of this shard, except those that have one.

        Args:
            compute: See `Shards.map`.
            items: Ignored: the items are those of the first process, of which some may be done.
            name: Ignored.

        Raises:
            SystemExit: Always: the work of the process is done. The exit code is 0.
        """
        given = pickle.loads((self.folder / _ITEMS).read_bytes())
        for position in range(self.index, len(given), self.count):
            path = _result_path(self.folder, position)
            if not path.is_file():
                content = pickle.dumps(compute(given[position]))
                with atomic_file(path) as part:
                    part.write_bytes(content)
        raise SystemExit(0)


class StartedShards(Shards):
    """Items that are divided among shards, which this process starts and waits for.

    Args:
        command: Command line of this process; `--shard K N FOLDER` is appended.
        count: Number of shards.
        beside: Path beside which the folder of results is created; on a cluster, all nodes must
            see it.
        start: Starts command lines; see `start_processes` and `SubmittedJobs`.
        quiet: Whether to show no progress bar.
    """

    has_bar: ClassVar[bool] = True

    def __init__(
        self, command: Sequence[str], count: int, *, beside: Path, start: "Start", quiet: bool
    ) -> None:
        self.command = list(command)
        self.count = count
        self.beside = beside
        self.start = start
        self.quiet = quiet

    def map(
        self, compute: Callable[[Item], Result], items: Sequence[Item], *, name: str = "Shards"
    ) -> Iterator[Result]:
        """Let the shards compute the results.

        Raises:
            ValueError: If a shard ends with an error, or is killed three times.
        """
        remove_leftovers(self.beside.parent)
        folder = temporary_path(self.beside.parent.resolve())
        try:
            (folder / "results").mkdir(parents=True)
            (folder / _ITEMS).write_bytes(pickle.dumps(list(items)))
            with tqdm(total=len(items), desc=name, unit="item", disable=self.quiet) as bar:
                self._wait(folder, min(self.count, len(items)), bar)
            for position in range(len(items)):
                yield pickle.loads(_result_path(folder, position).read_bytes())
        finally:
            remove(folder)

    def _wait(self, folder: Path, count: int, bar: tqdm) -> None:
        """Start the shards and wait for all; one that is killed is started again, alone."""
        commands = [
            [*self.command, "--shard", str(k), str(count), str(folder)] for k in range(count)
        ]
        logs = [folder / f"shard-{k}.log" for k in range(count)]
        attempts = [1] * count
        running = dict(enumerate(self.start(commands, logs)))
        counted = time.monotonic()
        try:
            while running:
                time.sleep(0.2)
                if time.monotonic() - counted > _COUNT_SECONDS:
                    done = [name for name in os.listdir(folder / "results") if name[0] != "."]
                    bar.update(len(done) - bar.n)
                    counted = time.monotonic()
                for k, job in list(running.items()):
                    code = job.poll()
                    if code is None:
                        continue
                    del running[k]
                    if code == 0:
                        continue
                    if 0 < code < 128 or attempts[k] == _ATTEMPTS:
                        raise ValueError(
                            f"Shard {k + 1} of {count} ended with exit code {code}: "
                            f"{_last_line(logs[k])}"
                        )
                    attempts[k] += 1
                    running[k] = self.start([commands[k]], [logs[k]])[0]
        finally:
            for job in running.values():
                job.kill()


class Job(Protocol):
    """Running command line."""

    def poll(self) -> int | None:
        """Exit code, negative or above 127 for a process that was killed; None if it runs."""

    def kill(self) -> None:
        """End it."""


class Start(Protocol):
    """Starts command lines whose output goes to log files."""

    def __call__(self, commands: list[list[str]], logs: list[Path]) -> Sequence[Job]:
        """Start all at once; return them in their order."""


def start_processes(commands: list[list[str]], logs: list[Path]) -> "list[subprocess.Popen[bytes]]":
    """Start command lines as processes of this machine, with one thread each.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = Path(folder, "log")
        ...     (job,) = start_processes([[sys.executable, "-c", "print(2)"]], [log])
        ...     job.wait(), log.read_text().strip()
        (0, '2')
    """
    return [_popen(command, log) for command, log in zip(commands, logs, strict=True)]


def _popen(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    # Results are those of one process only if that has one thread too: sums are then in one order
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    with open(log, "wb") as output:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def _run(command: list[str], log: Path) -> int:
    """Run a command line to its end, in a job of a cluster."""
    return _popen(command, log).wait()


class SubmittedJobs:
    """Starts command lines as jobs by submitit: one array on SLURM, or processes.

    Args:
        cluster: "slurm" or "local".
        settings: Settings of `submitit.AutoExecutor.update_parameters`.
    """

    def __init__(self, cluster: str, settings: dict[str, Any]) -> None:
        self.cluster = cluster
        self.settings = settings

    def __call__(self, commands: list[list[str]], logs: list[Path]) -> Sequence[Job]:
        """Submit all at once."""
        import submitit

        executor = submitit.AutoExecutor(folder=logs[0].parent / "jobs", cluster=self.cluster)
        executor.update_parameters(**self.settings)
        jobs = executor.map_array(_run, commands, logs)
        queue = _Queue(jobs[0].job_id.split("_")[0]) if self.cluster == "slurm" else None
        return [_SubmittedJob(job, queue) for job in jobs]


class _SubmittedJob:
    """Job of submitit."""

    def __init__(self, job: Any, queue: "_Queue | None") -> None:  # noqa: ANN401  untyped library
        self.job = job
        self.queue = queue

    def poll(self) -> int | None:
        is_result = self.job.paths.result_pickle.exists()
        if not is_result and (self.job.job_id in self.queue if self.queue else not self.job.done()):
            return None
        if not is_result and self.queue:
            time.sleep(2)  # shared file systems show new files late
            is_result = self.job.paths.result_pickle.exists()
        return int(self.job.result()) if is_result and not self.job.exception() else -1

    def kill(self) -> None:
        with suppress(Exception):  # it may have ended just now
            self.job.cancel(check=False)


class _Queue:
    """Jobs of an array that wait or run; accounting, which submitit asks, is often not installed.

    Args:
        array: Number of the array.
    """

    def __init__(self, array: str) -> None:
        self._command = ["squeue", "--noheader", "--array", "--format=%i", f"--jobs={array}"]
        self._asked = time.monotonic()
        self._waiting: set[str] | None = None  # unknown

    def __contains__(self, job_id: str) -> bool:
        if time.monotonic() - self._asked > _QUEUE_SECONDS:
            self._asked = time.monotonic()
            answer = subprocess.run(self._command, capture_output=True, text=True)
            if answer.returncode == 0 or "Invalid job id" in answer.stderr:  # all have ended
                self._waiting = set(answer.stdout.split())
        return self._waiting is None or job_id in self._waiting


def _result_path(folder: Path, position: int) -> Path:
    return folder / "results" / f"{position}.pickle"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output.")


def python_command(arguments: Sequence[str]) -> list[str]:
    """Command line of `autrainer-ext` in this environment.

    Example:
        >>> python_command(["list", "model"])[1:]
        ['-m', 'autrainer_ext', 'list', 'model']
    """
    return [sys.executable, "-m", "autrainer_ext", *arguments]
