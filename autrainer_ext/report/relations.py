"""How the difficulty of recordings relates to everything else, on one checkpoint.

    difficulty -> explanation, adaptation, place in the latent space, device, prediction

Every relation is a set of links with one sentence. Difficulty is the rank of the plugin
Difficulty, computed from all runs of the experiment.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from autrainer_ext.information import confusion_counts, entropies, split_coordinates

from .links import THIRDS, Link, choose_sentence, group_means, rank_link, thirds
from .source import Experiment

FIDELITY_MEASURE = "insertion_auc"  # needs no mask


def relate(
    experiment: Experiment,
    recordings: pd.DataFrame,
    latent: dict[str, Any] | None,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """All relations for which tables exist.

    Args:
        experiment: The experiment.
        recordings: Table of `read_recordings`.
        latent: Section of `read_latent`, or None.
        class_names: Names of the classes.

    Returns:
        One dict per relation: `id`, `title`, `question`, `sentence`, `value` (name of the related
        property), `links` and `groups` for tables and figures.
    """
    test = recordings[recordings["split"] == "test"].set_index("index")
    if test.empty or not test["rank"].notna().any():
        return []
    found = [
        relate_predictions(test, experiment.told.name, class_names),
        relate_explanations(test, experiment.table("fidelity", "scores.csv"), experiment.told.name),
        relate_adaptation(
            test, experiment.table("adaptation", "recordings.csv"), experiment.told.name
        ),
        relate_latent(test, latent),
        relate_devices(test),
    ]
    return [relation for relation in found if relation is not None]


def relate_predictions(
    test: pd.DataFrame, run: str, class_names: Sequence[str]
) -> dict[str, Any] | None:
    """Difficulty and correctness, with a point of the triangle per third and per device.

    Args:
        test: Test recordings with the columns `rank`, `target`, `device` and the name of the run.
        run: Name of the told run.
        class_names: Names of the classes.
    """
    known = test[test[run] >= 0]
    correct = (known[run] == known["target"]).to_numpy(dtype=float)
    third = thirds(known["rank"].to_numpy())
    link = rank_link(known["rank"].to_numpy(), correct)
    groups = group_means(correct, third, THIRDS)
    points = _triangle_points(known, run, third, THIRDS, len(class_names), "third")
    devices = sorted(set(known["device"]) - {""})
    number = known["device"].map({name: i for i, name in enumerate(devices)}).fillna(-1)
    points += _triangle_points(known, run, number.to_numpy(), devices, len(class_names), "device")
    sentence = choose_sentence(
        link,
        "Recordings that are hard for the runs together are predicted better by this checkpoint.",
        "This checkpoint fails on the recordings that are hard for the runs together.",
        "No relation is shown between difficulty and the predictions of this checkpoint.",
    )
    return {
        "id": "predictions",
        "title": "Predictions by difficulty",
        "question": "Are the recordings that all runs find hard those that this checkpoint misses?",
        "value": "accuracy",
        "sentence": sentence,
        "links": [_row("difficulty and correct prediction", link)],
        "groups": [{"name": "", "rows": groups}],
        "points": points,
        "note": "Difficulty is computed from all runs, this one included.",
    }


def relate_explanations(
    test: pd.DataFrame, scores: pd.DataFrame | None, run: str
) -> dict[str, Any] | None:
    """Difficulty and insertion score of the explanations, as gain over random masks of equal size.

    Args:
        test: Test recordings with the columns `filename` and `rank`.
        scores: `scores.csv` of the plugin Fidelity, or None.
        run: Name of the told run.
    """
    if scores is None or f"{FIDELITY_MEASURE}_floor" not in scores:
        return None
    gains = fidelity_gains(scores[scores["run"] == run])
    return _relate_each(
        test,
        {name: gain.reindex(test["filename"]).to_numpy() for name, gain in gains.items()},
        {
            "id": "explanations",
            "title": "Explanations by difficulty",
            "question": "Are hard recordings explained worse?",
            "value": f"{FIDELITY_MEASURE}, gain over random masks of equal size",
        },
        "Hard recordings are explained better than easy ones by",
        "Hard recordings are explained worse than easy ones by",
        "No relation is shown between difficulty and the quality of explanations by",
    )


def fidelity_gains(scores: pd.DataFrame) -> dict[str, pd.Series]:
    """Insertion score minus that of random masks of equal size, by explainer.

    Args:
        scores: Rows of `scores.csv` for one run.

    Returns:
        For every explainer that uses the model, the gain by `filename`, a mean over the masks.

    Example:
        >>> columns = ["filename", "explainer", FIDELITY_MEASURE, f"{FIDELITY_MEASURE}_floor"]
        >>> table = pd.DataFrame([("a", "lime", 0.5, 0.2)], columns=columns)
        >>> fidelity_gains(table.assign(noise="none"))["lime"].round(3).to_dict()
        {'a': 0.3}
    """
    clean = scores[scores["noise"] == "none"]
    gains = clean[FIDELITY_MEASURE] - clean[f"{FIDELITY_MEASURE}_floor"]
    return {
        str(name): gains[rows.index].groupby(rows["filename"]).mean()
        for name, rows in clean.groupby("explainer", sort=False)
        if not str(name).startswith(("random", "permuted-"))
    }


def relate_adaptation(
    test: pd.DataFrame, table: pd.DataFrame | None, run: str
) -> dict[str, Any] | None:
    """Difficulty and the gain of adaptation on corrupted copies of the same recordings.

    Args:
        test: Test recordings with the columns `filename` and `rank`.
        table: `recordings.csv` of the plugin Adaptation, or None.
        run: Name of the told run.
    """
    if table is None:
        return None
    values = {}
    mine = table[(table["run"] == run) & (table["method"] != "source")]
    for method, rows in mine.groupby("method", sort=False):
        values[str(method)] = adaptation_gain(rows).reindex(test["filename"]).to_numpy()
    return _relate_each(
        test,
        values,
        {
            "id": "adaptation",
            "title": "Adaptation by difficulty",
            "question": "Does adaptation repair the hard recordings or the easy ones?",
            "value": "gain in accuracy over the corruptions",
        },
        "Adaptation helps hard recordings more than easy ones with",
        "Adaptation helps easy recordings more than hard ones with",
        "No relation is shown between difficulty and the gain of adaptation with",
    )


def adaptation_gain(rows: pd.DataFrame) -> pd.Series:
    """Gain of every recording: change of the share of its corrupted copies predicted correctly.

    Args:
        rows: Rows of `recordings.csv` of the plugin Adaptation.

    Returns:
        Gain by `filename`, -1 to 1.

    Example:
        >>> table = pd.DataFrame({"filename": ["a", "a"], "n_cells": [2, 2]})
        >>> adaptation_gain(table.assign(n_correct_before=[0, 1], n_correct_after=[2, 2])).to_dict()
        {'a': 0.75}
    """
    sums = rows.groupby("filename")[["n_cells", "n_correct_before", "n_correct_after"]].sum()
    return (sums["n_correct_after"] - sums["n_correct_before"]) / sums["n_cells"]


def relate_latent(test: pd.DataFrame, latent: dict[str, Any] | None) -> dict[str, Any] | None:
    """Difficulty and the share of neighbours of the same class on the maps of the latent space.

    Args:
        test: Test recordings with the column `rank`.
        latent: Section of `read_latent`, or None.
    """
    if latent is None:
        return None
    values = {
        f"{part['layer']}, {part['method']}": pd.Series(part["purity"], part["index"])
        .reindex(test.index)
        .to_numpy()
        for part in latent["maps"]
    }
    return _relate_each(
        test,
        values,
        {
            "id": "latent",
            "title": "Place in the latent space by difficulty",
            "question": "Do hard recordings lie among recordings of other classes?",
            "value": "share of the 10 nearest neighbours on the map with the same class",
        },
        "Hard recordings lie among recordings of their own class more often on",
        "Hard recordings lie among recordings of other classes more often than easy ones on",
        "No relation is shown between difficulty and the place on",
    )


def relate_devices(test: pd.DataFrame) -> dict[str, Any] | None:
    """Difficulty of the recordings of each device against those of all other devices.

    The intervals hold for all devices together (Bonferroni).

    Args:
        test: Test recordings with the columns `device` and `rank`.
    """
    devices = sorted(set(test["device"]) - {""})
    if len(devices) < 2:
        return None
    difficulty = test["rank"].to_numpy()
    links = {
        name: rank_link(
            (test["device"] == name).to_numpy(), difficulty, confidence=1 - 0.05 / len(devices)
        )
        for name in devices
    }
    harder = [name for name, link in links.items() if link and link.direction > 0]
    easier = [name for name, link in links.items() if link and link.direction < 0]
    parts = [
        f"Recordings of {_list(names)} are {word} than those of the other devices."
        for names, word in ((harder, "harder"), (easier, "easier"))
        if names
    ]
    number = test["device"].map({name: i for i, name in enumerate(devices)}).fillna(-1).to_numpy()
    return {
        "id": "devices",
        "title": "Difficulty by device",
        "question": "Which devices make recordings hard?",
        "value": "difficulty, 0 easiest to 1 hardest",
        "sentence": " ".join(parts) or "No device is shown to be harder or easier than the others.",
        "links": [_row(name, link) for name, link in links.items()],
        "groups": [{"name": "", "rows": group_means(difficulty, number, devices)}],
        "note": "A device against all others; the intervals hold for all devices together.",
    }


def _relate_each(
    test: pd.DataFrame,
    values: dict[str, np.ndarray],
    words: dict[str, Any],
    more: str,
    less: str,
    nothing: str,
) -> dict[str, Any] | None:
    """Relation of difficulty with several properties; sentences name those they hold for."""
    difficulty = test["rank"].to_numpy()
    links = {name: rank_link(difficulty, value) for name, value in values.items()}
    if not any(links.values()):
        return None
    sentences = []
    for direction, start in ((1, more), (-1, less), (0, nothing)):
        names = [n for n, link in links.items() if link and link.direction == direction]
        if names:
            sentences.append(f"{start} {_list(names)}.")
    groups = []
    for name, value in values.items():
        known = np.where(np.isfinite(value), difficulty, np.nan)
        rows = group_means(value, thirds(known), THIRDS)
        groups.append({"name": name, "rows": rows})
    rows = [_row(name, link) for name, link in links.items()]
    return words | {"sentence": " ".join(sentences), "links": rows, "groups": groups, "note": ""}


def _triangle_points(
    known: pd.DataFrame,
    run: str,
    groups: np.ndarray,
    names: Sequence[str],
    n_classes: int,
    kind: str,
) -> list[dict[str, Any]]:
    """Point of the predictions in the entropy triangle for each group of recordings."""
    rows = []
    for number, name in enumerate(names):
        part = known[groups == number]
        if part.empty:
            continue
        counts = confusion_counts(part["target"].to_numpy(), part[run].to_numpy(), n_classes)
        _, point = split_coordinates(entropies(counts))
        rows.append(
            {
                "kind": kind,
                "name": name,
                "n": len(part),
                "divergence": float(point.divergence),
                "mutual_information": float(point.mutual_information),
                "variation": float(point.variation),
            }
        )
    return rows


def _row(name: str, link: Link | None) -> dict[str, Any]:
    values = {"rho": None, "low": None, "high": None, "n": 0} if link is None else vars(link)
    return {"name": name, **values}


def _list(names: Sequence[str]) -> str:
    """Names as a list in a sentence: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
