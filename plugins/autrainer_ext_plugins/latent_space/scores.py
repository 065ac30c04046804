"""Separability of class and device in the embeddings of a layer."""

import numpy as np
import pandas as pd

from autrainer_ext.intervals import mean_interval
from autrainer_ext.latent import nearest_on_other_devices, probe, silhouette
from autrainer_ext_plugins.conditions import contributions

from .spaces import Space


def separability_rows(space: Space, seed: int) -> list[tuple[dict, pd.Series]]:
    """Scores of separability with 95 % intervals.

    Args:
        space: Embeddings of a layer.
        seed: Seed of the folds of the linear probes.

    Returns:
        For every score whose labels are known its row in `separability.csv` and the contribution of
        every recording, or of every group of parallel recordings, to its mean.
    """
    z, classes, devices, groups = space.embeddings, space.classes, space.devices, space.groups
    labels = {"class": classes, "device": devices}
    known = {name: values for name, values in labels.items() if values is not None}
    values = {f"{name}_probe": probe(z, of, groups, seed=seed) for name, of in known.items()}
    values |= {f"{name}_silhouette": silhouette(z, of) for name, of in known.items()}
    chance = {f"{name}_probe": 1 / len(np.unique(of)) for name, of in known.items()}
    if classes is not None and devices is not None:
        name = "class_on_other_devices"
        values[name] = nearest_on_other_devices(z, classes, devices, groups)
        chance[name] = chance_on_other_devices(classes, devices)
    rows = []
    for name, per_sample in values.items():
        is_defined = ~np.isnan(per_sample)
        shares = contributions(
            pd.Series(per_sample[is_defined], index=space.names[is_defined]),
            None if groups is None else groups[is_defined],
        )
        low, high = mean_interval(shares.to_numpy())
        row = {
            "run": space.run,
            "model": space.model,
            "layer": space.layer,
            "n_values": z.shape[1],
            "n_samples": int(is_defined.sum()),
            "score": name,
            "value": shares.mean(),
            "low": low,
            "high": high,
            "chance": chance.get(name, np.nan),
        }
        rows.append((row, shares))
    return rows


def chance_on_other_devices(classes: np.ndarray, devices: np.ndarray) -> float:
    """Probability that a random recording on another device has the same class.

    Args:
        classes: Class of every recording, shape (N,).
        devices: Device of every recording, shape (N,).

    Returns:
        Mean over all recordings for which there is another device; nan if there are none.
    """
    counts = pd.crosstab(classes, devices).to_numpy()
    others = counts.sum() - counts.sum(axis=0)
    of_class = counts.sum(axis=1, keepdims=True) - counts
    shares = np.divide(of_class, others, out=np.zeros(counts.shape), where=others > 0)
    weights = counts * (others > 0)
    return float((shares * weights).sum() / weights.sum()) if weights.any() else np.nan
