"""The whole story of a model as plain values for the page."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd

import autrainer_ext

from .recordings import read_recordings
from .relations import adaptation_gain, fidelity_gains, relate
from .sections import (
    class_names,
    read_adaptation,
    read_devices,
    read_fidelity,
    read_latent,
    read_summary,
    read_triangle,
)
from .source import Experiment

_Value = TypeVar("_Value")
SECTIONS: Mapping[str, Callable[[Experiment], dict[str, Any] | None]] = {
    "summary": read_summary,
    "triangle": read_triangle,
    "fidelity": read_fidelity,
    "adaptation": read_adaptation,
    "devices": read_devices,
    "latent": read_latent,
}
PLUGINS = {
    "triangle": "EntropyTriangle",
    "difficulty": "Difficulty",
    "fidelity": "Fidelity",
    "adaptation": "Adaptation",
    "devices": "Devices",
    "latent": "LatentSpace",
}


def tell(experiment: Experiment) -> dict[str, Any]:
    """Read everything that plugins wrote about an experiment.

    A table that cannot be read leaves out its section; `problems` says why.

    Args:
        experiment: The experiment.

    Returns:
        Sections by name, None where there are no tables; `recordings`, `links`, `meta`,
        `missing` (for each missing section the `command` that makes it, or a `hint`) and
        `problems`.

    Raises:
        ValueError: If the told run saved no outputs.
    """
    names = class_names(experiment.told)
    table = read_recordings(experiment)
    story: dict[str, Any] = {"problems": []}
    for section, reader in SECTIONS.items():
        story[section] = _attempt(story["problems"], section, reader, experiment)
    place_on_table(story["latent"], table)
    story["links"] = (
        _attempt(story["problems"], "links", relate, experiment, table, story["latent"], names)
        or []
    )
    story["recordings"] = columns_of(table, experiment, properties_of(experiment, table, story))
    results, name = experiment.folder.parent.name, experiment.folder.name
    absent = {section: story.get(section) is None for section in PLUGINS}
    absent["difficulty"] = not table["rank"].notna().any()
    story["missing"] = {
        section: {"hint": experiment.hints[section]}
        if section in experiment.hints
        else {"command": f"autrainer-ext postprocess {results} {name} -p {plugin}"}
        for section, plugin in PLUGINS.items()
        if absent[section]
    }
    story["meta"] = {
        "title": name,
        "told": experiment.labels[experiment.told.name],
        "told_run": experiment.told.name,
        "classes": names,
        "version": autrainer_ext.__version__,
    }
    return story


def place_on_table(latent: dict[str, Any] | None, table: pd.DataFrame) -> None:
    """Add to every map the rows of its points in the table of recordings, -1 if unknown."""
    if latent is None:
        return
    rows = table[table["split"] == "test"].reset_index().set_index("index")["level_0"]
    for part in latent["maps"]:
        part["row"] = rows.reindex(part["index"]).fillna(-1).to_numpy(dtype=int)


def properties_of(
    experiment: Experiment, table: pd.DataFrame, story: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Properties of the test recordings that connect the views, by name; nan where unknown."""
    test = (table["split"] == "test").to_numpy()
    found: dict[str, np.ndarray] = {}

    def add(name: str, values: pd.Series) -> None:
        column = np.full(len(table), np.nan)
        column[test] = values.reindex(table["filename"][test]).to_numpy()
        found[name] = column

    scores = experiment.table("fidelity", "scores.csv")
    if story["fidelity"] is not None and scores is not None:
        gains = fidelity_gains(scores[scores["run"] == experiment.told.name])
        for name, gain in gains.items():
            add(f"gain of the explanation, {name}", gain)
    adapted = experiment.table("adaptation", "recordings.csv")
    if adapted is not None:
        mine = adapted[(adapted["run"] == experiment.told.name) & (adapted["method"] != "source")]
        for method, rows in mine.groupby("method", sort=False):
            add(f"gain of the adaptation, {method}", adaptation_gain(rows))
    for part in (story["latent"] or {"maps": []})["maps"]:
        column = np.full(len(table), np.nan)
        on_table = part["row"] >= 0
        column[part["row"][on_table]] = np.asarray(part["purity"])[on_table]
        found[f"neighbours of its class, {part['layer']}, {part['method']}"] = column
    return found


def columns_of(
    table: pd.DataFrame, experiment: Experiment, properties: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Table of recordings by column, repeated text as codes."""
    columns: dict[str, Any] = {
        name: table[name].tolist()
        for name in ("index", "filename", "target", "rank", "doubt", "confidence", "loss")
    }
    for name in ("split", "device"):
        codes, values = pd.factorize(table[name])
        columns[name] = {"names": list(values), "codes": codes}
    columns["predicted"] = [table[run.name].tolist() for run in experiment.runs]
    columns["told"] = [run.name for run in experiment.runs].index(experiment.told.name)
    columns["properties"] = [
        {"name": name, "values": values} for name, values in properties.items()
    ]
    return columns


def choose_clips(recordings: Mapping[str, Any], n_clips: int) -> list[int]:
    """Rows of the recordings whose audio the page holds.

    A third are recordings with a score of an explanation, a third the hardest ones (without
    difficulty: those with the highest loss), the rest is spread over all recordings.

    Args:
        recordings: Columns of the table of recordings.
        n_clips: Largest number of rows.

    Returns:
        Rows in ascending order.

    Example:
        >>> columns = {"rank": [0.1, 0.9, 0.5, 0.2], "loss": [1, 1, 1, 1], "properties": []}
        >>> choose_clips(columns, 2)
        [0, 1]
    """
    rank = np.asarray(recordings["rank"], dtype=float)
    harder = np.where(np.isfinite(rank), 1e6 * rank, 0) + np.nan_to_num(
        np.asarray(recordings["loss"], dtype=float)
    )
    explained = np.zeros(len(rank), dtype=bool)
    for each in recordings["properties"]:
        if each["name"].startswith("gain of the explanation"):
            explained |= np.isfinite(np.asarray(each["values"], dtype=float))
    chosen = np.flatnonzero(explained)[: -(-n_clips // 3)].tolist()
    order = np.argsort(-harder, kind="stable")
    left = order[~np.isin(order, chosen)]
    n_hard = min(-(-(n_clips - len(chosen)) // 2), len(left))
    chosen += left[:n_hard].tolist()
    rest = np.sort(left[n_hard:])
    n_rest = min(n_clips - len(chosen), len(rest))
    chosen += rest[np.linspace(0, len(rest) - 1, n_rest).astype(int)].tolist() if n_rest else []
    return sorted(set(chosen))


def _attempt(
    problems: list[str], section: str, function: Callable[..., _Value], *arguments: object
) -> _Value | None:
    """Result of a function, or None with a line in `problems` if a table is damaged."""
    try:
        return function(*arguments)
    except (ValueError, KeyError, TypeError, pd.errors.ParserError) as error:
        text = " ".join(str(error).split())
        problems.append(f"Section {section} is left out: {type(error).__name__}: {text}")
        return None
