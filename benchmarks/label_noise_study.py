"""Planted mislabels of docs/studies/label_noise.md: trains what is missing, then writes the table.

    autrainer-ext fetch -cn ext_label_noise_fsdd
    autrainer-ext preprocess -cn ext_label_noise_fsdd
    python benchmarks/label_noise_study.py --seeds 0 1 2

Start it in the folder with `data/FSDD`. It can be stopped and started again; finished runs are
kept. Each setting takes five runs. Writes `label_noise.csv`.
"""

import argparse
import itertools
import subprocess
import sys
from pathlib import Path

import pandas as pd

from autrainer_ext.atomic import atomic_file
from autrainer_ext.difficulty.label_evidence import collect_evidence
from autrainer_ext.runs import find_runs
from autrainer_ext_plugins.label_noise.tables import suspect_table, validation_table

# the digit that a network confuses most with each, measured on the first fold
SIMILAR = "{'0':'2','1':'5','2':'3','3':'2','4':'1','5':'1','6':'7','7':'6','8':'6','9':'1'}"
KINDS = {"uniform": "null", "similar": SIMILAR}
SHARES = ("0.05", "0.10")


def validate(kind: str, share: str, seed: int, *, train: bool) -> pd.DataFrame | None:
    """Validation of the runs of a setting that are finished; None without any."""
    experiment = f"label-noise-fsdd-{kind}-{share}-{seed}"
    if train:
        command = [sys.executable, "-m", "autrainer_ext", "train", "-cn", "ext_label_noise_fsdd"]
        settings = [f"share={share}", f"similar={KINDS[kind]}", f"label_seed={seed}"]
        subprocess.run(
            [*command, f"experiment_id={experiment}", *(f"dataset.{each}" for each in settings)],
            check=True,
        )
    if not Path("results", experiment, "training").is_dir():
        return None
    runs = [run for run in find_runs("results", experiment) if run.is_complete]
    if not runs:
        return None
    table = validation_table(suspect_table(collect_evidence(runs)), "true_label")
    described = {"kind": kind, "share": share, "label_seed": seed, "folds": len(runs)}
    for position, (name, value) in enumerate(described.items()):
        table.insert(position, name, value)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--no-training", action="store_true", help="only what is finished")
    args = parser.parse_args()
    tables = []
    for seed, share, kind in itertools.product(args.seeds, SHARES, KINDS):
        table = validate(kind, share, seed, train=not args.no_training)
        if table is not None:
            tables.append(table)
            with atomic_file(Path("label_noise.csv")) as path:
                pd.concat(tables).to_csv(path, index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
