"""Tables of scores: one row per clip, noise, explainer and mask."""

from pathlib import Path

import pandas as pd

from autrainer_ext.explanation.evaluation import Explained
from autrainer_ext.explanation.fidelity import MEASURES

CLEAN = "none"  # value of the column `noise` for clips without noise
COLUMNS = [
    *["run", "filename", "target", "prediction", "confidence", "correct", "explainer", "mask"],
    *MEASURES,  # in percent, up to one, in nats
    *["completeness_gap", "noise", "explains_nothing"],
]


def score_table(
    explained: Explained,
    *,
    run: str,
    filename: str,
    target: str | None,
    prediction: str,
    noise: str = CLEAN,
) -> pd.DataFrame:
    """Table of the scores of one clip.

    Args:
        explained: Explanations of the clip.
        run: Name of the run or model directory.
        filename: Recording relative to the input folder, or as in the metadata of a data set.
        target: Name of the true class, or None if it is unknown; `correct` is then empty.
        prediction: Name of the predicted class.
        noise: Name of the noise in the clip.

    Returns:
        Table with the columns `COLUMNS`, one row per explainer and mask.
    """
    rows = pd.DataFrame(explained.rows).assign(
        run=run,
        filename=filename,
        target=target,
        prediction=prediction,
        confidence=explained.confidence,
        correct=None if target is None else target == prediction,
        noise=noise,
    )
    return rows[COLUMNS]


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of one clip; file names and class names stay text."""
    return pd.read_csv(path, dtype={"filename": str, "target": str, "prediction": str})
