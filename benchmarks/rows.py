"""Ratios of processor times, measured in turns, with their spread."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Job = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """Ratio of the cost of something to the cost of what it is compared with.

    Attributes:
        what: What is measured.
        against: What it is compared with.
        ratios: One ratio per repetition or per clip; below 1: cheaper.
        over: What the ratios differ in: "repetitions" or "clips".
        note: Quality at which they are compared, or a size.
    """

    what: str
    against: str
    ratios: np.ndarray
    over: str = "repetitions"
    note: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """Cells of a table: what, against, median and range of the ratios, over, note."""
        middle, low, high = np.median(self.ratios), self.ratios.min(), self.ratios.max()
        spread = f"{middle:.3g} ({low:.3g} to {high:.3g})"
        return self.what, self.against, spread, f"{len(self.ratios)} {self.over}", self.note


def in_turns(jobs: Mapping[str, Job], repetitions: int) -> dict[str, np.ndarray]:
    """Processor seconds of jobs that take turns, after one turn to warm up.

    Turns see the same load of the machine; processor time leaves out waiting for it.

    Args:
        jobs: Jobs by name.
        repetitions: Number of turns that count.

    Returns:
        Seconds of every turn, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repetitions + 1):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            seconds[name].append(time.process_time() - start)
    return {name: np.array(each[1:]) for name, each in seconds.items()}
