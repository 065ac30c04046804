"""Tables of suspicious labels."""

import numpy as np
import pandas as pd

from autrainer_ext.difficulty.label_evidence import LabelEvidence
from autrainer_ext.difficulty.label_noise import (
    confident_labels,
    detection,
    estimated_precision,
)

# measures of suspicion, each with the sign that makes it grow with the suspicion
MEASURES = {
    "held_out_margin": -1,
    "held_out_probability": -1,
    "aum": -1,
    "cumulative_accuracy": -1,
}


def suspect_table(evidence: LabelEvidence) -> pd.DataFrame:
    """Table of all recordings, the most suspicious labels first.

    Recordings that a run held out are ordered by the margin of the label in the held-out
    probabilities. The others are ordered by the area under the margin, without a precision:
    networks that were trained on a wrong label may have learnt it.

    Args:
        evidence: Evidence of the runs.

    Returns:
        One row per recording that was held out or has clean outputs of its training. The column
        `evidence` says by which of both it is ordered; places count within that evidence.
    """
    is_held_out = evidence.held_out_runs > 0
    n_samples = len(evidence.labels)
    columns: dict[str, np.ndarray] = {
        name: np.full(n_samples, np.nan)
        for name in ("held_out_probability", "held_out_margin", "precision")
    }
    names = np.array(evidence.class_names)
    suggested, is_suspected = np.full(n_samples, "", dtype=object), np.full(n_samples, "", object)
    if is_held_out.any():
        probabilities = evidence.probabilities[is_held_out]
        labels = evidence.labels[is_held_out]
        found = confident_labels(probabilities, labels)
        columns["held_out_probability"][is_held_out] = probabilities[np.arange(len(labels)), labels]
        columns["held_out_margin"][is_held_out] = found.margin
        suggested[is_held_out] = names[found.suggested]
        is_suspected[is_held_out] = np.where(found.is_suspected, "yes", "no")
        columns["precision"][is_held_out] = estimated_precision(probabilities, labels, found)
    order_by = np.where(is_held_out, columns["held_out_margin"], evidence.aum)
    taken = {"place", "evidence", "filename", "label", "suggested", "is_suspected", *columns, "aum",
             "cumulative_accuracy", "held_out_runs", "training_runs"}  # fmt: skip
    described = evidence.samples.rename(
        columns={name: f"{name}_" for name in evidence.samples if name in taken}
    )
    table = pd.DataFrame(
        {
            "filename": evidence.files,
            "label": names[evidence.labels],
            "suggested": suggested,
            "is_suspected": is_suspected,
            **columns,
            "aum": evidence.aum,
            "cumulative_accuracy": evidence.cumulative_accuracy,
            "held_out_runs": evidence.held_out_runs,
            "training_runs": evidence.training_runs,
            **described,
        }
    )
    kind = pd.Series(np.where(is_held_out, "held out", "training"))
    place = pd.Series(order_by).groupby(kind).rank(method="first")
    table.insert(0, "place", place)
    table.insert(1, "evidence", kind)
    table = table[place.notna()].astype({"place": int})
    return table.sort_values(["place", "evidence"], kind="stable")


def confusion_table(evidence: LabelEvidence) -> pd.DataFrame:
    """Table of the estimated number of recordings per given and true label.

    Args:
        evidence: Evidence of the runs.

    Returns:
        One row per pair of different classes with at least one suspected label, most frequent
        first; empty without held-out recordings.
    """
    is_held_out = evidence.held_out_runs > 0
    names, rows = evidence.class_names, []
    if is_held_out.any():
        found = confident_labels(evidence.probabilities[is_held_out], evidence.labels[is_held_out])
        joint = found.joint * is_held_out.sum()
        rows = [
            {"label": names[i], "true_label": names[j], "recordings": joint[i, j]}
            for i, j in zip(*joint.nonzero(), strict=True)
            if i != j
        ]
    table = pd.DataFrame(rows, columns=["label", "true_label", "recordings"])
    return table.sort_values("recordings", ascending=False, kind="stable")


def validation_table(suspects: pd.DataFrame, truth: str) -> pd.DataFrame:
    """Table of how well each measure finds labels that are known to be wrong.

    Args:
        suspects: Result of `suspect_table`.
        truth: Column with the true classes.

    Returns:
        One row per measure, for the recordings that have it: `auroc` and `precision` (among as
        many recordings as labels are wrong) with 95 % intervals, and `estimated_precision` there.

    Raises:
        ValueError: If there is no such column, or no label is wrong.
    """
    if truth not in suspects:
        raise ValueError(f"The tables of the data set have no column '{truth}' with true labels.")
    is_wrong = (suspects[truth].astype(str) != suspects["label"].astype(str)).to_numpy()
    if not is_wrong.any():
        raise ValueError(f"Column '{truth}' equals the labels: no label is known to be wrong.")
    rows = []
    for measure, sign in MEASURES.items():
        values = suspects[measure].to_numpy(dtype=float)
        known = ~np.isnan(values)
        n_wrong = int(is_wrong[known].sum())
        if not 0 < n_wrong < known.sum():
            continue
        row = {"measure": measure, "recordings": int(known.sum()), "mislabelled": n_wrong}
        row |= detection(sign * values[known], is_wrong[known])
        held_out = suspects["precision"].dropna()  # in the order of the held-out margin
        row["estimated_precision"] = (
            held_out.iloc[n_wrong - 1] if measure == "held_out_margin" else np.nan
        )
        rows.append(row)
    return pd.DataFrame(rows)
