"""Table of the sanity check of one clip."""

import pandas as pd
import torch

from autrainer_ext.explanation.evaluation import ClipSettings, Explained
from autrainer_ext.explanation.sanity import cascade
from autrainer_ext.serving.forward import ForwardPass


def sanity_table(
    forward: ForwardPass,
    features: torch.Tensor,
    explained: Explained,
    settings: ClipSettings,
    seed: int,
) -> pd.DataFrame:
    """Compare the attributions of every explainer with those of randomised networks.

    Args:
        forward: Engine of the network.
        features: Features of the clip, shape (1, channels, frames, mel_bins).
        explained: Explanations of the clip.
        settings: Settings of the clip.
        seed: Seed of the random weights.

    Returns:
        Table with the columns `explainer`, `layer` and `spearman`.
    """
    target = torch.tensor([explained.prediction])
    rows = [
        {"explainer": name, "layer": layer, "spearman": value}
        for name, explainer in settings.explainers.items()
        for layer, value in cascade(explainer, forward, features, target, seed=seed).items()
    ]
    return pd.DataFrame(rows)
