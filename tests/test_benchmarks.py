"""The table of ratios."""

import subprocess
import sys
import time

import numpy as np

from benchmarks.rows import Row, in_turns


def test_row_shows_the_median_and_the_range():
    row = Row("ours", "theirs", np.array([0.5, 0.1, 0.2]), note="equal")
    assert row.cells == ("ours", "theirs", "0.2 (0.1 to 0.5)", "3 repetitions", "equal")


def test_jobs_take_turns_and_only_the_processor_counts():
    order = []

    def work():
        order.append("work")
        sum(range(300_000))

    def wait():
        order.append("wait")
        time.sleep(0.05)

    times = in_turns({"work": work, "wait": wait}, repetitions=3)
    assert order == ["work", "wait"] * 4
    assert (times["wait"] < 0.02).all()
    assert (times["work"] > times["wait"]).all()


def test_the_command_prints_a_table(root):
    command = [sys.executable, "-m", "benchmarks", "--quick", "triangles"]
    lines = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    head, _, *rows = lines.splitlines()
    assert head.startswith("| what | against | ratio")
    ratios = [float(row.split("|")[3].split()[0]) for row in rows]
    assert len(ratios) == 3
    assert max(ratios) < 0.5
    assert all("equal to 1e-10" in row for row in rows)


def test_unknown_names_are_refused(root):
    command = [sys.executable, "-m", "benchmarks", "nonsense"]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "unknown benchmark 'nonsense'" in ended.stderr
