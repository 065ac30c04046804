"""Start of the commands against the imports of the host that every command line needs.

`-h` of each command, and `triangle` on a small confusion matrix, against a bare interpreter that
imports `autrainer.core.scripts`, the base of all commands.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.rows import Row

HOST = ["-c", "import autrainer.core.scripts"]
WORK = [
    "-c",
    "import autrainer.core.scripts, numpy, pandas, matplotlib.pyplot, mpltern, scipy.stats",
]
HELP = ("triangle", "list", "show", "postprocess", "inference", "export", "report")
MATRIX = "cat,dog\n9,1\n2,8\n"


def seconds(arguments: list[str], folder: str) -> float:
    """Processor time of an interpreter with these arguments."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows(*, quick: bool) -> list[Row]:
    command = ["-m", "autrainer_ext"]
    calls = {"host": HOST, "libraries": WORK}
    calls |= {f"{name} -h": [*command, name, "-h"] for name in HELP}
    calls["triangle of a matrix"] = [*command, "triangle", "matrix.csv", "--output", "out"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "matrix.csv").write_text(MATRIX)
        found: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(3 if quick else 6):
            for name, arguments in calls.items():
                arguments = [f"{each}{turn}" if each == "out" else each for each in arguments]
                found[name].append(seconds(arguments, folder))
    times = {name: np.array(each[1:]) for name, each in found.items()}  # the first fills caches
    made = [
        Row(name, "imports of the host", times[name] / times["host"])
        for name in calls
        if name.endswith("-h")
    ]
    whole = times["triangle of a matrix"] / times["libraries"]
    return [*made, Row("triangle of a matrix", "imports of its libraries", whole)]
