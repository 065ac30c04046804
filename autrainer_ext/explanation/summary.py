"""Summaries of fidelity scores: means with intervals, compared with random explanations."""

import functools

import numpy as np
import pandas as pd

from autrainer_ext.intervals import mean_interval

from .attributors.registry import floor_of
from .fidelity import MEASURES


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Average scores over clips.

    Args:
        scores: One row per run, noise, clip, explainer and mask, with a column per measure;
            `correct` is empty where the target is unknown. The explainers must include the random
            ones that others are compared with (`floor_of`).

    Returns:
        One row per run, noise, explainer, mask, group of samples (`all`, `correct`, `incorrect`;
        empty groups are left out) and measure, with the columns `n` (clips),
        `n_explaining_nothing`, `mean`, `low` and `high` (95 % bootstrap interval), `floor` (mean
        of the random explainer), and `gain` with `gain_low` and `gain_high`: the mean paired
        difference from the floor, positive if the explainer is better, whatever the direction of
        the measure. Intervals of fewer than two clips are empty.
    """
    interval = functools.lru_cache(maxsize=None)(
        lambda content: mean_interval(np.frombuffer(content))
    )
    correct = scores["correct"].astype(object)
    groups = {
        "all": np.ones(len(scores), bool),
        "correct": (correct == True).to_numpy(),  # noqa: E712 - may be empty
        "incorrect": (correct == False).to_numpy(),  # noqa: E712
    }
    rows = []
    keys = ["run", "noise", "explainer", "mask"]
    for group, chosen in groups.items():
        part = scores[chosen]
        indexed = part.set_index([*keys, "filename"]).sort_index()
        for (run, noise, explainer, mask), clips in part.groupby(keys, sort=False):
            clips = clips.set_index("filename")
            floor = indexed.loc[(run, noise, floor_of(explainer), mask)].loc[clips.index]
            for name, measure in MEASURES.items():
                values = clips[name].to_numpy(float)
                beneath = floor[name].to_numpy(float)
                gain = values - beneath if measure.higher_is_better else beneath - values
                low, high = interval(values.tobytes())
                gain_low, gain_high = interval(gain.tobytes())
                rows.append(
                    {
                        "run": run,
                        "noise": noise,
                        "explainer": explainer,
                        "mask": mask,
                        "samples": group,
                        "n": len(values),
                        "n_explaining_nothing": int(clips["explains_nothing"].sum()),
                        "measure": name,
                        "higher_is_better": measure.higher_is_better,
                        "mean": values.mean(),
                        "low": low,
                        "high": high,
                        "floor": beneath.mean(),
                        "gain": gain.mean(),
                        "gain_low": gain_low,
                        "gain_high": gain_high,
                    }
                )
    return pd.DataFrame(rows)


def summarise_sanity(correlations: pd.DataFrame) -> pd.DataFrame:
    """Average the rank correlations of the sanity check over clips.

    Args:
        correlations: Columns `filename`, `noise`, `explainer`, `layer` and `spearman`, which is
            empty if an explanation is constant.

    Returns:
        One row per noise, explainer and layer, in order of appearance: `n` (clips with a
        correlation), `mean`, and `low` and `high` (95 % bootstrap interval).

    Example:
        >>> row = {"filename": "a.wav", "noise": "none", "explainer": "lime", "layer": "head"}
        >>> summarise_sanity(pd.DataFrame([row | {"spearman": 0.5}]))[["layer", "n", "mean"]]
          layer  n  mean
        0  head  1   0.5
    """
    rows = []
    for keys, clips in correlations.groupby(["noise", "explainer", "layer"], sort=False):
        values = clips["spearman"].dropna().to_numpy(float)
        low, high = mean_interval(values)
        mean = values.mean() if len(values) else np.nan
        row = dict(zip(("noise", "explainer", "layer"), keys, strict=True))
        rows.append(row | {"n": len(values), "mean": mean, "low": low, "high": high})
    return pd.DataFrame(rows)
