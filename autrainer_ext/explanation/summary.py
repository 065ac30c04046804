"""Summaries of fidelity scores: means with intervals, compared with random masks of equal size."""

import functools
import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid

from autrainer_ext.intervals import mean_interval

from .fidelity import MEASURES
from .size_curves import CURVE_MEASURES

_KEYS = ["run", "noise", "explainer", "mask"]
_SANITY_KEYS = ["run", "noise", "explainer", "layer"]


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Average scores over clips.

    Args:
        scores: One row per run, noise, clip, explainer and mask, with a column per measure;
            `correct` is empty where the target is unknown. Columns `MEASURE_floor` hold the scores
            of random masks of equal size.

    Returns:
        One row per run, noise, explainer, mask, group of samples (`all`, `correct`, `incorrect`;
        empty groups are left out) and measure, with the columns `n` (clips),
        `n_explaining_nothing`, `kept_energy_share` (mean), `mean`, `low` and `high` (95 % bootstrap
        interval), `floor` (mean of the random masks), and `gain` with `gain_low` and `gain_high`:
        the mean paired difference from the floor, positive if the explainer is better, whatever
        the direction of the measure. Intervals of fewer than two clips are empty, and so are floor
        and gain of measures that do not depend on the mask.
    """
    interval = functools.lru_cache(maxsize=None)(
        lambda content: mean_interval(np.frombuffer(content))
    )
    rows = []
    for group, part in _groups(scores).items():
        for keys, clips in part.groupby(_KEYS, sort=False):
            described = dict(zip(_KEYS, keys, strict=True)) | {
                "samples": group,
                "n": len(clips),
                "n_explaining_nothing": int(clips["explains_nothing"].sum()),
                "kept_energy_share": clips["kept_energy_share"].mean(),
            }
            for name, measure in MEASURES.items():
                values = clips[name].to_numpy(float)
                low, high = interval(values.tobytes())
                row = described | {
                    "measure": name,
                    "higher_is_better": measure.higher_is_better,
                    "mean": values.mean(),
                    "low": low,
                    "high": high,
                }
                rows.append(row | _gain(clips, name, interval))
    return pd.DataFrame(rows)


def summarise_sizes(sizes: pd.DataFrame) -> pd.DataFrame:
    """Average areas under the curves of fidelity against size over clips.

    Args:
        sizes: One row per run, noise, clip, explainer and `kept_energy_share`, with the columns of
            `size_curves.CURVE_MEASURES` and their `..._floor`.

    Returns:
        One row per run, noise, explainer and measure: `n` (clips), `mean`, `low` and `high` of the
        area, which is the average over the shares and has the unit of the measure; `floor`, `gain`,
        `gain_low` and `gain_high` as of `summarise`.
    """
    keys = ["run", "noise", "explainer"]
    areas = _areas(sizes, keys)
    rows = []
    for found, clips in areas.groupby(keys, sort=False):
        for name in CURVE_MEASURES:
            values = clips[name].to_numpy(float)
            low, high = mean_interval(values)
            row = dict(zip(keys, found, strict=True)) | {
                "measure": name,
                "higher_is_better": MEASURES[name].higher_is_better,
                "n": len(values),
                "mean": values.mean(),
                "low": low,
                "high": high,
            }
            rows.append(row | _gain(clips, name, lambda b: mean_interval(np.frombuffer(b))))
    return pd.DataFrame(rows)


def compare_explainers(sizes: pd.DataFrame) -> pd.DataFrame:
    """Compare explainers at equal size: paired differences of their areas.

    Args:
        sizes: As for `summarise_sizes`.

    Returns:
        One row per run, noise, measure and pair of explainers: `n` (clips), `difference` (mean of
        the first minus the second), positive if the first is better, whatever the direction of the
        measure; `low` and `high`, which hold for all pairs and measures of a run and noise at once
        with 95 % (Bonferroni); `is_different`, whether they exclude 0. No rows for a single
        explainer.
    """
    areas = _areas(sizes, ["run", "noise", "explainer"])
    rows = []
    for (run, noise), part in areas.groupby(["run", "noise"], sort=False):
        pairs = list(itertools.combinations(part["explainer"].unique(), 2))
        confidence = 1 - 0.05 / max(len(pairs) * len(CURVE_MEASURES), 1)
        for name in CURVE_MEASURES:
            by_clip = part.pivot(index="filename", columns="explainer", values=name)
            sign = 1 if MEASURES[name].higher_is_better else -1
            for first, second in pairs:
                differences = (sign * (by_clip[first] - by_clip[second])).dropna().to_numpy(float)
                low, high = mean_interval(differences, confidence=confidence, n_resamples=10_000)
                rows.append(
                    {
                        "run": run,
                        "noise": noise,
                        "measure": name,
                        "first": first,
                        "second": second,
                        "n": len(differences),
                        "difference": differences.mean() if len(differences) else np.nan,
                        "low": low,
                        "high": high,
                        "is_different": bool(low > 0 or high < 0),
                    }
                )
    return pd.DataFrame(rows)


def _groups(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All, correctly and incorrectly predicted clips; `correct` may be empty."""
    correct = scores["correct"].astype(object)
    chosen = {
        "correct": (correct == True).to_numpy(),  # noqa: E712
        "incorrect": (correct == False).to_numpy(),  # noqa: E712
    }
    return {"all": scores} | {name: scores[part] for name, part in chosen.items()}


def _gain(
    clips: pd.DataFrame, name: str, interval: Callable[[bytes], tuple[float, float]]
) -> dict[str, float]:
    """Mean of the floor of a measure, and the mean paired gain with its interval."""
    if f"{name}_floor" not in clips:
        return dict.fromkeys(("floor", "gain", "gain_low", "gain_high"), np.nan)
    values, beneath = clips[name].to_numpy(float), clips[f"{name}_floor"].to_numpy(float)
    gain = values - beneath if MEASURES[name].higher_is_better else beneath - values
    low, high = interval(gain.tobytes())
    return {"floor": beneath.mean(), "gain": gain.mean(), "gain_low": low, "gain_high": high}


def _areas(sizes: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Averages of the curves over the shares, one row per clip: the trapezoidal rule."""
    columns = [part for name in CURVE_MEASURES for part in (name, f"{name}_floor")]
    rows = []
    for found, curve in sizes.groupby([*keys, "filename"], sort=False):
        shares = curve["kept_energy_share"].to_numpy(float)
        row = dict(zip([*keys, "filename"], found, strict=True))
        width = shares[-1] - shares[0]
        rows.append(row | {name: trapezoid(curve[name], shares) / width for name in columns})
    return pd.DataFrame(rows)


def summarise_sanity(correlations: pd.DataFrame) -> pd.DataFrame:
    """Average the rank correlations of the sanity check over clips.

    Args:
        correlations: Columns `run`, `filename`, `noise`, `explainer`, `layer` and `spearman`, which
            is empty if an explanation is constant.

    Returns:
        One row per run, noise, explainer and layer, in order of appearance: `n` (clips with a
        correlation), `mean`, and `low` and `high` (95 % bootstrap interval).

    Example:
        >>> row = {"run": "a", "filename": "a.wav", "noise": "none", "explainer": "lime"}
        >>> row["layer"] = "head"
        >>> summarise_sanity(pd.DataFrame([row | {"spearman": 0.5}]))[["layer", "n", "mean"]]
          layer  n  mean
        0  head  1   0.5
    """
    rows = []
    for keys, clips in correlations.groupby(_SANITY_KEYS, sort=False):
        values = clips["spearman"].dropna().to_numpy(float)
        low, high = mean_interval(values)
        mean = values.mean() if len(values) else np.nan
        row = dict(zip(_SANITY_KEYS, keys, strict=True))
        rows.append(row | {"n": len(values), "mean": mean, "low": low, "high": high})
    return pd.DataFrame(rows)
