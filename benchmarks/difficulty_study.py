"""Numbers of docs/studies/difficulty.md: properties of hard recordings, effect of curricula.

    python benchmarks/difficulty_study.py recordings results/difficulty
    python benchmarks/difficulty_study.py curricula results/difficulty_plain \
        results/difficulty_curriculum

The first reads `difficulty/scores.csv` of the plugin and the recordings, the second the accuracy of
the finished runs; both from the folder the runs were trained from.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from scipy.stats import t

from autrainer_ext.difficulty import correlate_pairs, mean_agreement
from autrainer_ext.intervals import mean_interval
from autrainer_ext.runs import find_runs, read_outputs

FRAME_SECONDS = 0.02


def properties(path: Path) -> dict[str, float]:
    """Duration, level, and how far loud frames stand out from quiet ones."""
    samples, rate = soundfile.read(path)
    frame = int(FRAME_SECONDS * rate)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    levels = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    quiet, loud = np.quantile(levels, [0.05, 0.95])
    return {
        "duration in s": len(samples) / rate,
        "level in dB": 10 * np.log10((samples**2).mean() + 1e-10),
        "signal-to-noise ratio in dB": loud - quiet,
    }


def recordings(experiment: Path) -> None:
    run = find_runs(experiment.parent, experiment.name)[0]
    audio = Path(run.config["dataset"]["path"], "default")
    scores = pd.read_csv(experiment / "difficulty" / "scores.csv").query("split == 'train'")
    measured = pd.DataFrame([properties(audio / name) for name in scores["filename"]])
    print("Spearman correlation of difficulty (1 - cumulative accuracy) with")
    groups = [scores["speaker"].to_numpy(), scores["target"].to_numpy()]
    for name in measured:
        raw = [-scores["cumulative_accuracy"].to_numpy(), measured[name].to_numpy()]
        within = [x - pd.Series(x).groupby(groups).transform("mean").to_numpy() for x in raw]
        for label, values in (("", raw), (", within speaker and digit", within)):
            found = mean_agreement(correlate_pairs(np.round(values, 6), [(0, 1)]))
            print(
                f"  {name}{label}: {found.spearman:.2f} "
                f"({found.spearman_low:.2f} to {found.spearman_high:.2f})"
            )
    hardest = scores["rank"] >= scores["rank"].quantile(0.9)
    print(f"Of the hardest {hardest.sum()} of {len(scores)}:")
    for column in ("speaker", "target"):
        for value, rows in scores.groupby(column):
            mean, share = rows["cumulative_accuracy"].mean(), hardest[rows.index].sum()
            low, high = mean_interval(rows["cumulative_accuracy"].to_numpy())
            print(f"  {column} {value}: {share}, right {mean:.3f} ({low:.3f} to {high:.3f})")
    for name in measured:
        of = measured[name].to_numpy()
        print(
            f"  median {name}: {np.median(of[hardest]):.2f}, others {np.median(of[~hardest]):.2f}"
        )


def curricula(plain: Path, paced: Path) -> None:
    accuracies: dict[str, dict[int, float]] = {}
    for experiment in (plain, paced):
        for run in find_runs(experiment.parent, experiment.name):
            outputs = read_outputs(run, "test")
            order = run.config.get("curriculum", {"id": "plain"})["id"]
            if order != "plain" and run.config["curriculum"]["scoring"]["type"] == "Random":
                order = "random"
            accuracy = (outputs.outputs.argmax(axis=1) == outputs.targets).mean()
            accuracies.setdefault(order, {})[run.config["seed"]] = 100 * accuracy
    reference = accuracies["plain"]
    for order, by_seed in accuracies.items():
        values = np.array([by_seed[seed] for seed in sorted(by_seed)])
        print(f"{order}: {_with_interval(values)} of {len(values)} seeds: {np.round(values, 1)}")
        if order != "plain":
            gains = np.array([by_seed[seed] - reference[seed] for seed in by_seed])
            print(f"  over plain training, same seed: {_with_interval(gains)}")


def _with_interval(values: np.ndarray) -> str:
    """Mean and its interval over seeds, of the t distribution."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.1f} ({values.mean() - half:.1f} to {values.mean() + half:.1f})"


if __name__ == "__main__":
    {"recordings": recordings, "curricula": curricula}[sys.argv[1]](*map(Path, sys.argv[2:]))
