"""Tables of scores: one row per clip, noise, explainer and mask."""

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from autrainer_ext.explanation.evaluation import FLOORED, Explained
from autrainer_ext.explanation.fidelity import MEASURES
from autrainer_ext.explanation.size_curves import CURVE_MEASURES

CLEAN = "none"  # value of the column `noise` for clips without noise
COLUMNS = [
    *["run", "filename", "target", "prediction", "confidence", "correct", "explainer", "mask"],
    *MEASURES,
    *[f"{name}_floor" for name in FLOORED],
    *["kept_bins_share", "kept_sounding_share", "kept_energy_share"],
    *["floor_sounding_share", "floor_energy_share"],
    *["completeness_gap", "n_segments", "n_samples", "relative_error", "agreement"],
    *["noise", "explains_nothing"],
]
SIZE_COLUMNS = [
    *["run", "filename", "target", "prediction", "confidence", "correct", "noise", "explainer"],
    *["kept_energy_share", *CURVE_MEASURES, *[f"{name}_floor" for name in CURVE_MEASURES]],
]
FEW_SEGMENTS = 8


@dataclass(frozen=True)
class ClipKey:
    """What the rows of a clip have in common.

    Attributes:
        run: Name of the run or model directory.
        filename: Recording relative to the input folder, or as in the metadata of a data set.
        target: Name of the true class, or None if it is unknown; `correct` is then empty.
        prediction: Name of the predicted class.
        noise: Name of the noise in the clip.
    """

    run: str
    filename: str
    target: str | None
    prediction: str
    noise: str = CLEAN


def score_table(explained: Explained, key: ClipKey) -> pd.DataFrame:
    """Table of the scores of one clip: the columns `COLUMNS`, a row per explainer and mask."""
    return pd.DataFrame(explained.rows).assign(**_columns(explained, key))[COLUMNS]


def size_table(explained: Explained, key: ClipKey) -> pd.DataFrame:
    """Table of the curves of fidelity against size of one clip.

    Args:
        explained: Explanations of the clip.
        key: The clip.

    Returns:
        Table with the columns `SIZE_COLUMNS`, one row per explainer and share of the level.
    """
    return pd.DataFrame(explained.size_rows).assign(**_columns(explained, key))[SIZE_COLUMNS]


def describe_few_segments(scores: pd.DataFrame) -> list[str]:
    """Describe explainers whose clips have fewer than eight sounding segments, a line for each.

    Args:
        scores: Table of scores.

    Returns:
        Lines for the user; none if all have enough.
    """
    clips = scores.drop_duplicates(["run", "filename", "noise", "explainer"])
    clips = clips[clips["n_segments"].notna()]
    return [
        f"{name} has fewer than {FEW_SEGMENTS} segments in {n_few} of {len(few)} clips: its masks "
        "keep or remove most of a clip at once."
        for name, few in clips.groupby("explainer", sort=False)
        if (n_few := int((few["n_segments"] < FEW_SEGMENTS).sum()))
    ]


def _columns(explained: Explained, key: ClipKey) -> dict[str, object]:
    is_correct = None if key.target is None else key.target == key.prediction
    return asdict(key) | {"confidence": explained.confidence, "correct": is_correct}


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of one clip; file names and class names stay text."""
    return pd.read_csv(path, dtype={"filename": str, "target": str, "prediction": str})
