"""Sections of a report: what the page shows, read from the tables of the plugins.

Every reader returns plain values for the page, or None if no plugin wrote its tables. Readers find
columns by their names and ignore columns they do not know.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import yaml

from autrainer_ext.information import confusion_counts
from autrainer_ext.intervals import crossed_mean_interval, mean_interval
from autrainer_ext.runs import Run, RunOutputs, best_iteration, read_class_names, read_outputs

from .source import Experiment, checkpoint_outputs, hits

_CELLS = 200_000  # numbers in all confusion matrices of a page
_FIDELITY = ("FF", "AI", "AD", "AG", "FidIn", "insertion_auc", "deletion_auc")


def read_summary(experiment: Experiment) -> dict[str, Any]:
    """Runs with their size and test accuracy, conditions, and their paired differences."""
    return {
        "runs": [_describe_run(experiment, run) for run in experiment.runs],
        "conditions": list(_conditions(experiment)),
        "differences": list(_differences(experiment)),
        "comparisons": _comparisons(experiment),
    }


def _describe_run(experiment: Experiment, run: Run) -> dict[str, Any]:
    weights = run.path / "_best" / "model.pt"
    row: dict[str, Any] = {
        "run": run.name,
        "label": experiment.labels[run.name],
        "condition": _condition_label(experiment, run.family),
        "model": str(run.config.get("model", {}).get("id", "")),
        "criterion": _criterion(run),
        "seed": run.seed,
        "best_iteration": _best_or_none(run),
        "bytes": weights.stat().st_size if weights.is_file() else None,
        **_size(run),
    }
    for split in ("dev", "test") if experiment.labelled else ():
        outputs = checkpoint_outputs(run, split)
        if outputs is not None and len(outputs.targets):
            correct = hits(outputs)
            low, high = mean_interval(correct)
            recalls = [correct[outputs.targets == c].mean() for c in np.unique(outputs.targets)]
            row[split] = {
                "n": len(correct),
                "accuracy": float(correct.mean()),
                "low": low,
                "high": high,
                "balanced": float(np.mean(recalls)),
            }
    return row


def _criterion(run: Run) -> str:
    criterion = run.config.get("dataset", {}).get("criterion", "")
    name = next(iter(criterion), "") if isinstance(criterion, dict) else criterion
    return str(name).rsplit(".", 1)[-1]


def _best_or_none(run: Run) -> int | None:
    try:
        return best_iteration(run)
    except ValueError:
        return None


def _size(run: Run) -> dict[str, float]:
    """Parameters and multiply-adds that the host counted."""
    path = run.path / "model_summary.yaml"
    found = yaml.safe_load(path.read_text()) if path.is_file() else {}
    names = {"total_params": "parameters", "total_mult_adds": "multiply_adds"}
    return {names[key]: value for key, value in (found or {}).items() if key in names}


def _conditions(experiment: Experiment) -> "list[dict[str, Any]]":
    """Mean test accuracy of every condition, over seeds and recordings."""
    rows: list[dict[str, Any]] = []
    if not experiment.labelled:
        return rows
    for family, values in _hits_by_condition(experiment).items():
        correct = list(values.values())
        if any(len(each) != len(correct[0]) for each in correct):
            continue
        matrix = np.stack(correct)
        low, high = crossed_mean_interval(matrix)
        rows.append(
            {
                "condition": family,
                "label": _condition_label(experiment, family),
                "n_runs": len(matrix),
                "n": matrix.shape[1],
                "accuracy": float(matrix.mean()),
                "low": low,
                "high": high,
            }
        )
    return rows


def _differences(experiment: Experiment) -> "list[dict[str, Any]]":
    """Differences of test accuracy between conditions, paired by seed and recording."""
    rows = []
    conditions = _hits_by_condition(experiment)
    for first, second in combinations(conditions, 2):
        one, other = conditions[first], conditions[second]
        seeds = [s for s in one if s in other and len(one[s]) == len(other[s])]
        if not seeds or any(len(one[s]) != len(one[seeds[0]]) for s in seeds):
            continue
        matrix = np.stack([one[s] - other[s] for s in seeds])
        low, high = crossed_mean_interval(matrix)
        rows.append(
            {
                "first": _condition_label(experiment, first),
                "second": _condition_label(experiment, second),
                "n_seeds": len(seeds),
                "difference": float(matrix.mean()),
                "low": low,
                "high": high,
            }
        )
    return rows


def _comparisons(experiment: Experiment) -> list[dict[Any, Any]]:
    """Differences between groups of runs on test that the plugin EntropyTriangle wrote."""
    table = experiment.table("entropy_triangle", "comparison.csv")
    if table is None:
        return []
    names = ["score", "first", "second", "n_seeds", "difference", "low", "high", "higher"]
    return table.loc[table["split"] == "test", names].to_dict("records")


def _hits_by_condition(experiment: Experiment) -> dict[str, dict[str, np.ndarray]]:
    """Correct test predictions by condition and seed."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for run in experiment.runs:
        outputs = checkpoint_outputs(run, "test")
        if outputs is not None:
            found.setdefault(run.family, {})[run.seed] = hits(outputs)
    return found


def _condition_label(experiment: Experiment, family: str) -> str:
    """Label of a condition: that of its first run without the seed."""
    run = next(run for run in experiment.runs if run.family == family)
    label = experiment.labels[run.name]
    short = label.removesuffix(f", {run.seed}")
    return short if short != run.seed and label != run.name else family


def read_triangle(experiment: Experiment) -> dict[str, Any] | None:
    """Points of all runs, splits, iterations and strata, with confusion matrices."""
    table = experiment.table("entropy_triangle", "coordinates.csv")
    if table is None:
        return None
    labels = experiment.labels
    table = table[table["run"].isin(labels)]
    columns = ["run", "split", "iteration", "stratum_column", "stratum", "view"]
    numbers = ["divergence", "mutual_information", "variation", "x", "y", "n_samples"]
    numbers += ["accuracy", "balanced_accuracy"]
    limits = [name for name in ("x_low", "x_high", "y_low", "y_high") if name in table]
    points = {name: table[name].tolist() for name in [*columns, *numbers, *limits]}
    points["stratum"] = [str(stratum) for stratum in points["stratum"]]
    return {"points": points, "matrices": _matrices(experiment, table)}


def _matrices(experiment: Experiment, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Confusion matrices of whole splits as cells (true, predicted, count)."""
    whole = table[table["stratum"] == "all"]
    keys = whole[["run", "split", "iteration"]].drop_duplicates().sort_values("iteration")
    runs = {run.name: run for run in experiment.runs}
    found, left = [], _CELLS
    for name, split, iteration in keys[::-1].itertuples(index=False):  # last iterations first
        outputs = _saved_outputs(runs[name], str(split), int(iteration))
        if outputs is None:
            continue
        n_classes = len(outputs.class_names)
        counts = confusion_counts(outputs.targets, outputs.outputs.argmax(axis=1), n_classes)
        rows, columns = np.nonzero(counts)
        left -= 3 * len(rows)
        if left < 0:
            break
        cells = np.stack([rows, columns, counts[rows, columns]], axis=1)
        found.append(
            {"run": name, "split": split, "iteration": int(iteration), "cells": cells.ravel()}
        )
    return found


def _saved_outputs(run: Run, split: str, iteration: int) -> RunOutputs | None:
    """Outputs of an iteration, else of the best checkpoint, or None if neither was saved."""
    try:
        return read_outputs(run, split, iteration)
    except ValueError:
        return checkpoint_outputs(run, split)


def read_fidelity(experiment: Experiment) -> dict[str, Any] | None:
    """Mean scores of the explanations of the told run per explainer, mask and measure."""
    table = experiment.table("fidelity", "summary.csv")
    if table is None:
        return None
    table = table[(table["run"] == experiment.told.name) & (table["samples"] == "all")]
    return fidelity_rows(table)


def fidelity_rows(summary: pd.DataFrame) -> dict[str, Any] | None:
    """Rows of a summary of explanations for the page, or None if there are none."""
    summary = summary[summary["measure"].isin(_FIDELITY) & (summary["noise"] == "none")]
    if summary.empty:
        return None
    names = ["explainer", "mask", "measure", "higher_is_better", "n", "mean", "low", "high"]
    names += ["floor", "gain", "gain_low", "gain_high"]
    return {"rows": summary[[name for name in names if name in summary]].to_dict("records")}


def read_adaptation(experiment: Experiment) -> dict[str, Any] | None:
    """Gain of every method, corruption and severity for the told run, and its decisions."""
    table = experiment.table("adaptation", "results.csv")
    if table is None:
        return None
    table = table[(table["run"] == experiment.told.name) & (table["method"] != "source")]
    if table.empty:
        return None
    keys = ["method", "protocol", "order", "corruption", "severity"]
    means = ["accuracy_before", "accuracy_after", "gain", "gain_low", "gain_high"]
    cells = table.groupby(keys, sort=False)[means].mean().reset_index()
    events = [name for name in table if str(name).startswith(("n_", "decision", "decided"))]
    words = [name for name in events if table[name].dtype == object]
    counts = [name for name in events if name not in words]
    sums = table.groupby(["method", "protocol", "order"], sort=False)[counts].sum().reset_index()
    decided = {name: table[name].value_counts().to_dict() for name in words}
    return {
        "cells": cells.to_dict("records"),
        "events": sums.to_dict("records"),
        "decisions": decided,
    }


def read_devices(experiment: Experiment) -> dict[str, Any] | None:
    """Scores per device and run."""
    table = experiment.table(experiment.of_device("devices"), "devices.csv")
    if table is None or experiment.device_column not in table:
        return None
    column = experiment.device_column
    single = table[table[column].notna() & table["run"].isin(experiment.labels)]
    scores = ["accuracy", "log_loss", "ema"]
    names = ["run", "group", "n_samples"]
    names += [f"{score}{limit}" for score in scores for limit in ("", "_low", "_high")]
    rows = single[[name for name in names if name in single]].to_dict("records")
    for row, device in zip(rows, single[column].astype(str), strict=True):
        row["device"] = device
    return {"rows": rows}


def read_latent(experiment: Experiment) -> dict[str, Any] | None:
    """Scores of every layer and maps of the drawn layers of the told run."""
    folder = experiment.of_device("latent_space")
    table = experiment.table(folder, "separability.csv")
    names = ["layer", "score", "value", "low", "high", "chance"]
    scores = pd.DataFrame(columns=names)
    if table is not None:
        scores = table.loc[table["run"] == experiment.told.name, names]
    maps = []
    stem = f"{experiment.told.name}_"
    for path in sorted((experiment.folder / folder / "coordinates").glob("*.csv")):
        if not path.name.startswith(stem):
            continue
        points = pd.read_csv(path)
        methods = [str(c).removesuffix("_x") for c in points.columns if str(c).endswith("_x")]
        for method in methods:
            xy = points[[f"{method}_x", f"{method}_y"]].to_numpy()
            maps.append(
                {
                    "layer": path.stem.removeprefix(stem),
                    "method": method,
                    "index": points["index"].to_numpy(),
                    "x": _to_unit(xy)[:, 0],
                    "y": _to_unit(xy)[:, 1],
                    "purity": map_purity(xy, points["class"].astype(str).to_numpy()),
                }
            )
    if scores.empty and not maps:
        return None
    return {"scores": scores.to_dict("records"), "maps": maps}


def map_purity(points: np.ndarray, classes: np.ndarray, *, n_neighbours: int = 10) -> np.ndarray:
    """Share of the nearest neighbours of every point that have its class.

    Args:
        points: Coordinates, shape (N, D).
        classes: Class of every point, shape (N,).
        n_neighbours: Number of neighbours; fewer if there are fewer other points.

    Returns:
        Shares, 0 to 1, shape (N,); nan for a single point.

    Example:
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> map_purity(points, np.array(["a", "a", "b", "a"]), n_neighbours=1).tolist()
        [1.0, 1.0, 0.0, 0.0]
    """
    from scipy.spatial import cKDTree

    k = min(n_neighbours, len(points) - 1)
    if k < 1:
        return np.full(len(points), np.nan)
    nearest = cKDTree(points).query(points, k=k + 1)[1]
    others = nearest != np.arange(len(points))[:, None]
    others[others.all(axis=1), -1] = False  # the point itself can be missing among equal points
    neighbours = nearest[others].reshape(len(points), k)
    return (classes[neighbours] == classes[:, None]).mean(axis=1)


def _to_unit(points: np.ndarray) -> np.ndarray:
    """Shift and scale a map to the middle of the unit square, with equal scales."""
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    scale = max(float(size.max()), 1e-12)
    return (points - low) / scale + (1 - size / scale) / 2


def class_names(run: Run) -> list[str]:
    """Names of the classes of a run, in the order of its outputs."""
    return read_class_names(run.path)
