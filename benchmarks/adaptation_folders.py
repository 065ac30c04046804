"""Served models on folders with few files and uneven classes: `adapt` against its source.

Every run of an experiment with one speaker held out adapts to folders drawn from one half of the
test recordings. The served network is scored on the folder and on recordings of the same class mix
from the other half, in evaluation mode. Rows are appended to a table; cells that it holds are not
computed again, so the command can be stopped and repeated. Run it where the runs were trained;
several processes share the work with --shard.

    python benchmarks/adaptation_folders.py results EXPERIMENT folders.csv --responses FOLDER
    python benchmarks/adaptation_folders.py results EXPERIMENT folders.csv --summary
"""

import argparse
import csv
import itertools
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from autrainer_ext.adaptation import adapt_to
from autrainer_ext.runs import Run, find_runs
from autrainer_ext.serving.sounds import read_sounds
from autrainer_ext_plugins.adaptation.recordings import (
    TestRecordings,
    corrupted_features,
    read_test_recordings,
)

CORRUPTIONS = ("white_noise", "low_pass", "reverberation", "impulse_response", "band_limit",
               "time_stretch", "clipping", "gain", "pitch_shift")  # fmt: skip
SEVERITIES = (5, 3, 1)
FOLDERS = (("even", 100), ("two", 50), ("sixty", 100), ("even", 250), ("dirichlet_1", 100),
           ("one", 25), ("even", 32), ("dirichlet_0.1", 50), ("even", 8),
           ("sixty", 32))  # fmt: skip
METHODS = {
    "served": {},
    "tent": {"always": True, "method": "tent", "options": {"learning_rate": 0.02}},
}
KEY = ["run", "corruption", "severity", "mix", "size", "seed"]
FIELDS = [*KEY, "n", "method", "candidate", "folder", "other", "folder_before", "other_before",
          "seconds", "reason"]  # fmt: skip


def draw_mix(name: str, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """Class mix of a folder, shape (n_classes,)."""
    if name.startswith("dirichlet"):
        return rng.dirichlet(np.full(n_classes, float(name.split("_")[1])))
    if name == "even":
        return np.full(n_classes, 1 / n_classes)
    if name == "sixty":
        mix = np.full(n_classes, 0.4 / (n_classes - 1))
        mix[rng.integers(n_classes)] = 0.6
        return mix
    mix = np.zeros(n_classes)
    mix[rng.choice(n_classes, {"two": 2, "one": 1}[name], replace=False)] = 1
    return mix / mix.sum()


def draw_folder(
    mix: np.ndarray, size: int, targets: np.ndarray, pool: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Positions of at most `size` recordings of a mix from a pool, without repetition."""
    counts = rng.multinomial(size, mix)
    members = [rng.permutation(pool[targets[pool] == c])[:n] for c, n in enumerate(counts)]
    return np.concatenate(members)


def cells(runs: list[Run], seeds: int) -> Iterator[tuple[Run, str, int, list[tuple], int]]:
    """Conditions in an order that visits all runs and corruptions early."""
    for seed in range(seeds):
        for k, (severity, corruption) in enumerate(itertools.product(SEVERITIES, CORRUPTIONS)):
            start = 3 * (k + seed) % len(FOLDERS)  # some folders per condition, all in turn
            chosen = [FOLDERS[(start + j) % len(FOLDERS)] for j in range(4)]
            for run in runs:
                yield run, corruption, severity, chosen, seed


def rows_of_folder(
    recordings: TestRecordings,
    features: torch.Tensor,
    mix_name: str,
    size: int,
    seed: int,
    methods: list[str],
) -> list[dict]:
    """One row per method."""
    targets = recordings.targets
    rng = np.random.default_rng([seed, size, zlib.crc32(mix_name.encode())])
    halves = np.array_split(np.random.default_rng(0).permutation(len(targets)), 2)
    mix = draw_mix(mix_name, targets.max() + 1, rng)
    folder = draw_folder(mix, size, targets, halves[0], rng)
    other = draw_folder(mix, 200, targets, halves[1], rng)

    def accuracy(model: torch.nn.Module, positions: np.ndarray) -> float:
        with torch.no_grad():
            predicted = model(features[positions]).argmax(dim=1).numpy()
        return float((predicted == targets[positions]).mean())

    source = recordings.reader.model.eval()
    before = {"folder_before": accuracy(source, folder), "other_before": accuracy(source, other)}
    rows = []
    for method in methods:
        begin = time.process_time()
        result = adapt_to(source, features[folder], seed=seed, **METHODS[method])
        seconds = time.process_time() - begin
        rows.append(
            {"n": len(folder), "method": method, "candidate": result.decision.served, **before}
            | {"folder": accuracy(result.model, folder), "other": accuracy(result.model, other)}
            | {"seconds": round(seconds, 2), "reason": result.decision.reason}
        )
    return rows


def compute(args: argparse.Namespace) -> None:
    """Append missing rows."""
    runs = [run for run in find_runs(args.results, args.experiment)
            if not args.only or any(name in run.name for name in args.only)]  # fmt: skip
    done = set()
    if args.table.is_file():
        known = pd.read_csv(args.table, dtype=str)
        done = set(known[KEY].itertuples(index=False, name=None))
    shard, n_shards = map(int, args.shard.split("/"))
    read: dict[str, TestRecordings] = {}
    until = time.time() + 60 * args.minutes
    for number, cell in enumerate(tqdm(list(cells(runs, args.seeds)), unit="condition")):
        run, corruption, severity, chosen, seed = cell
        if number % n_shards != shard or time.time() > until:
            continue
        keys = {folder: (run.name, corruption, str(severity), folder[0], str(folder[1]), str(seed))
                for folder in chosen}  # fmt: skip
        missing = [folder for folder, key in keys.items() if key not in done]
        if not missing or (corruption == "impulse_response" and not args.responses):
            continue
        if run.name not in read:
            read[run.name] = read_test_recordings(
                run, audio=args.audio, select=None, group_column=None, length=None
            )
        recordings = read[run.name]
        needs = corruption == "impulse_response"
        sounds = read_sounds(args.responses, recordings.sample_rate) if needs else []
        features = corrupted_features(recordings, corruption, severity, seed=seed, sounds=sounds)
        for folder in missing:
            rows = rows_of_folder(recordings, features, *folder, seed, args.methods)
            is_new = not args.table.is_file()
            with args.table.open("a", newline="") as file:
                writer = csv.DictWriter(file, FIELDS)
                if is_new:
                    writer.writeheader()
                key = dict(zip(KEY, keys[folder], strict=True))
                writer.writerows(key | row for row in rows)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy in % per mix and size on the other half, and how often a folder loses."""
    source = table["other_before"]
    table = table.assign(gain=100 * (table["other"] - source), source=100 * source)
    table["lost"] = table["gain"] < -1
    table["after"] = 100 * table["other"]
    rows = table.groupby(["mix", "size", "method"], sort=True).agg(
        folders=("gain", "size"), source=("source", "mean"), after=("after", "mean"),
        gain=("gain", "mean"), worst=("gain", "min"), lost=("lost", "sum"),
    )  # fmt: skip
    return rows.round(1).reset_index()


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results")
    parser.add_argument("experiment")
    parser.add_argument("table", type=Path)
    parser.add_argument("--audio")
    parser.add_argument("--responses")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shard", default="0/1", metavar="I/N")
    parser.add_argument("--only", nargs="+", help="Parts of names of runs.")
    parser.add_argument("--exclude", nargs="+", default=[], help="Parts of names of runs.")
    parser.add_argument("--summary", action="store_true")
    args = parser.parse_args()
    if not args.summary:
        compute(args)
    table = pd.read_csv(args.table)
    for name in args.exclude:
        table = table[~table["run"].str.contains(name)]
    print(summarise(table).to_string(index=False))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
