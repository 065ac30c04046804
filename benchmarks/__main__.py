"""One table of ratios: what something costs against what a user would run instead.

    python -m benchmarks [--quick] [NAME ...]

Everything runs on one thread of one process group, in turns with what it is compared with, so the
load of the machine concerns both. Ratios below 1 are cheaper. `--quick` takes minutes and has
fewer repetitions.
"""

import argparse
import importlib

import torch

from benchmarks.rows import Row

MODULES = {
    "triangles": "information_speed",
    "forward": "forward_speed",
    "inference": "inference_speed",
    "adaptation": "adaptation_speed",
    "start": "start_speed",
}
_HEAD = ("what", "against", "ratio, median (range)", "over", "note")


def line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODULES))
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - MODULES.keys():
        parser.error(f"unknown benchmark '{min(unknown)}': choose from {', '.join(MODULES)}")
    torch.set_num_threads(1)
    print(line(_HEAD), line(("---",) * len(_HEAD)), sep="\n")
    for name in arguments.names or MODULES:
        module = importlib.import_module(f"benchmarks.{MODULES[name]}")
        found: list[Row] = module.rows(quick=arguments.quick)
        for row in found:
            print(line(row.cells), flush=True)


if __name__ == "__main__":
    main()
