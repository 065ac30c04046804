"""What int8 changes: predictions per stratum and explanations, with intervals over recordings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.special import log_softmax
from scipy.stats import rankdata

from autrainer_ext.evaluation.scores import strata_of
from autrainer_ext.explanation.evaluation import ClipSettings, Explained, explain_clip
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.intervals import mean_interval, paired_share_interval
from autrainer_ext.serving.forward import ForwardPass, Predict

FLOAT32, INT8 = "float32", "int8"
# deterministic, so equal networks have equal explanations, and without gradients
_EXPLAINER, _MASK = "occlusion", "topK_5"
_MEASURES = ("FF", "AD", "AG", "insertion_auc", "deletion_auc")
N_EXPLAINED = 32


@dataclass(frozen=True)
class PairedOutputs:
    """Logits of the same N recordings by the network in float32 and in int8.

    Attributes:
        before: Logits in float32, shape (N, C).
        after: Logits in int8, shape (N, C).
        targets: True classes, shape (N,).
    """

    before: np.ndarray
    after: np.ndarray
    targets: np.ndarray


def paired_differences(outputs: PairedOutputs, strata: pd.DataFrame) -> pd.DataFrame:
    """Differences between int8 and float32 on the same recordings.

    Args:
        outputs: Logits of N recordings.
        strata: Columns that define strata, N rows. Empty cells belong to no stratum.

    Returns:
        Two rows for all recordings and for every stratum: `stratum_column`, `stratum`,
        `n_samples`, `measure` ("accuracy" or "log_loss"), `difference` (int8 minus float32) and
        its 95 % limits `low` and `high`, paired by recording; `agreement`, the share of
        recordings with the same prediction.
    """
    pair = (outputs.before, outputs.after)
    correct = [each.argmax(axis=1) == outputs.targets for each in pair]
    places = np.arange(len(outputs.targets)), outputs.targets
    losses = [-log_softmax(each.astype(float), axis=1)[places] for each in pair]
    agrees = outputs.before.argmax(axis=1) == outputs.after.argmax(axis=1)
    rows = []
    for column, stratum, chosen in strata_of(len(strata), strata):
        more = losses[1][chosen] - losses[0][chosen]
        found = {
            "accuracy": paired_share_interval(correct[1][chosen], correct[0][chosen]),
            "log_loss": (float(more.mean()), *mean_interval(more)),
        }
        key = column, stratum, int(chosen.sum())
        rows += [(*key, name, *each, agrees[chosen].mean()) for name, each in found.items()]
    columns = ["stratum_column", "stratum", "n_samples", "measure"]
    return pd.DataFrame(rows, columns=[*columns, "difference", "low", "high", "agreement"])


def explanation_differences(
    before: Predict, after: Predict, clips: Sequence[torch.Tensor], *, baseline: float
) -> pd.DataFrame:
    """Differences between explanations of a network in float32 and in int8.

    Every network explains its own prediction by occlusion; a mask keeps the highest 5 % of the
    bins. The explanation does not depend on random numbers.

    Args:
        before: Network in float32, from features to logits.
        after: Network in int8.
        clips: Features of each clip, shape (1, channels, frames, mel_bins); at least two.
        baseline: Value of silent features.

    Returns:
        One row per measure of fidelity: `measure`, `n_samples`, means `float32` and `int8`,
        `difference` and its 95 % limits `low` and `high`, paired by clip; and the row
        `rank_correlation`, Spearman's rho of the attributions in float32 and int8, whose columns
        `float32` and `int8` are empty and whose `difference` is rho.
    """
    names = ExplainSettings(explainers=(_EXPLAINER,), masks=(_MASK,), listen=(), device="cpu")
    settings = ClipSettings.resolve(names, baseline)
    engines = [ForwardPass(each, device="cpu") for each in (before, after)]
    pairs = [[explain_clip(engine, clip, settings) for engine in engines] for clip in clips]
    rows = []
    for name in _MEASURES:
        values = np.array([[each.rows[0][name] for each in pair] for pair in pairs])
        gained = values[:, 1] - values[:, 0]
        means = values.mean(axis=0)
        rows.append((name, len(clips), *means, gained.mean(), *mean_interval(gained)))
    rhos = np.array([_rank_correlation(*pair) for pair in pairs])
    known = rhos[np.isfinite(rhos)]
    mean = known.mean() if len(known) else np.nan
    rows.append(("rank_correlation", len(known), np.nan, np.nan, mean, *mean_interval(known)))
    columns = ["measure", "n_samples", FLOAT32, INT8, "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _rank_correlation(first: Explained, second: Explained) -> float:
    """Spearman's rho of two maps; nan if one is constant."""
    ranks = [rankdata(each.attributions[_EXPLAINER].numpy()) for each in (first, second)]
    if any(np.ptp(each) == 0 for each in ranks):
        return np.nan
    return float(np.corrcoef(*ranks)[0, 1])
