"""Scores per device, per group of devices and per class."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from autrainer_ext.information import confusion_counts, confusion_intervals, ema, entropies
from autrainer_ext.intervals import mean_interval, share_interval
from autrainer_ext.runs import RunOutputs

SCORES = ["log_loss", "accuracy"]
GROUPS = ("seen", "unseen", "all")


def parts(devices: pd.Series, seen: set[str]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Parts of the samples: each device, seen devices first, then groups of devices.

    Args:
        devices: Device of each sample, length N.
        seen: Devices that occur in training.

    Yields:
        Device ("" for a group), group ("seen", "unseen" or "all") and mask of the samples, shape
        (N,). Empty groups are left out.
    """
    for name in sorted(devices.unique(), key=lambda name: (name not in seen, name)):
        yield name, "seen" if name in seen else "unseen", (devices == name).to_numpy()
    is_seen = devices.isin(seen).to_numpy()
    for group, mask in zip(GROUPS, (is_seen, ~is_seen, is_seen | ~is_seen), strict=True):
        if mask.any():
            yield "", group, mask


def sample_scores(outputs: RunOutputs, names: pd.Series) -> pd.DataFrame:
    """Log loss in nats and accuracy of each sample.

    Args:
        outputs: Outputs of N samples.
        names: Name of each sample, length N.

    Returns:
        Columns `SCORES`, indexed by name.
    """
    logits = outputs.outputs.astype(float)
    of_target = logits[np.arange(len(logits)), outputs.targets]
    columns = {
        "log_loss": logsumexp(logits, axis=1) - of_target,
        "accuracy": (logits.argmax(axis=1) == outputs.targets).astype(float),
    }
    return pd.DataFrame(columns, index=names.to_numpy())


def scores(
    outputs: RunOutputs,
    samples: pd.DataFrame,
    mask: np.ndarray,
    shares: pd.DataFrame,
    groups: np.ndarray | None,
) -> dict[str, float]:
    """Scores of a part of the samples with their intervals.

    Args:
        outputs: Outputs of N samples.
        samples: Result of `sample_scores`.
        mask: Samples of the part, shape (N,).
        shares: Contributions of the groups of parallel recordings to the means.
        groups: Group of each sample of the part, None if all samples are independent.

    Returns:
        Number of samples, accuracy, log loss and EMA, each with lower and upper limit; for EMA also
        the value corrected for the bias of small samples and the number of samples that its
        interval needs.
    """
    found: dict[str, float] = {"n_samples": int(mask.sum())}
    limits = {
        "accuracy": share_interval(samples["accuracy"][mask].to_numpy(), groups),
        "log_loss": mean_interval(shares["log_loss"].to_numpy()),
    }
    for name, (low, high) in limits.items():
        found |= {name: samples[name][mask].mean(), f"{name}_low": low, f"{name}_high": high}
    predicted = outputs.outputs.argmax(axis=1)[mask]
    counts = confusion_counts(outputs.targets[mask], predicted, len(outputs.class_names))
    of_ema = confusion_intervals(counts)["ema"]
    return found | {
        "ema": float(ema(entropies(counts))),
        "ema_corrected": of_ema.corrected,
        "ema_low": of_ema.low,
        "ema_high": of_ema.high,
        "ema_needed": of_ema.n_needed,
    }


def class_tables(
    outputs: RunOutputs, devices: pd.Series, samples: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of each class and of all classes together, overall and per device.

    Args:
        outputs: Outputs of N samples.
        devices: Device of each sample, length N.
        samples: Result of `sample_scores`.

    Returns:
        Table with one row per class and the column `class`, and table with one row over all
        classes. Both have the scores and the scores per device (`accuracy_a`).
    """
    names = np.array(outputs.class_names)[outputs.targets]
    samples = samples.assign(**{"class": names, "device": devices.to_numpy()})
    classes = _scores_by_class(samples).reindex(outputs.class_names).dropna(how="all")
    overall = _scores_by_class(samples.assign(**{"class": ""}))
    return classes.reset_index(names="class"), overall.reset_index(drop=True)


def _scores_by_class(samples: pd.DataFrame) -> pd.DataFrame:
    """Mean scores by class: overall and, in further columns, per device."""
    overall = samples.groupby("class", sort=False)[SCORES].mean()
    per_device = samples.pivot_table(index="class", columns="device", values=SCORES)
    per_device.columns = [f"{score}_{device}" for score, device in per_device.columns]
    return overall.join(per_device)
