"""Distance between embeddings of the same class and different modalities, such as devices.

    R = mean over pairs (i, j) of d(z_i, z_j),   y_i = y_j,  m_i != m_j

with embeddings z, classes y and modalities m: the attribute the embeddings should not depend on,
such as the recording device. R is normalised by the number of pairs and by the dimension, so that
its weight in a loss has the same meaning for any batch size and layer.

Collapse: R is also zero if all embeddings are equal, so `between_class_variance` should be watched
along with it. If a batch norm follows the layer, the class loss does not depend on the scale of
the embeddings, and minimising R shrinks them to zero. The relative distance, divided by the mean
distance of all samples, does not depend on the scale.

Source:
    Bouchez and Kerkeni (2023), MODAC, classification of acoustic scenes robust to the recording
    device, section 2, there with the sum of L1 norms; Primus et al. (2019), Exploiting parallel
    audio recordings to enforce device invariance in CNN-based acoustic scene classification.
"""

import torch
from torch.nn.functional import normalize

from autrainer_ext.errors import unknown_name

DISTANCES = ("l1", "squared_l2", "cosine")


def pair_mask(
    targets: torch.Tensor, modalities: torch.Tensor, groups: torch.Tensor | None = None
) -> torch.Tensor:
    """Pairs of samples of the same class and different modalities.

    Args:
        targets: Class index of every sample, shape (N,).
        modalities: Modality index of every sample, shape (N,). Negative values mean unknown;
            these samples are not paired.
        groups: Group index of every sample, shape (N,), such as the moment recorded by several
            devices at once. Only samples of the same group are paired; negative values mean
            unknown. Default: all samples are in one group.

    Returns:
        Boolean mask of the pairs, shape (N, N); every pair appears once, above the diagonal.

    Example:
        >>> pair_mask(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])).nonzero().tolist()
        [[0, 1]]
    """
    mask = targets[:, None] == targets
    mask &= modalities[:, None] != modalities
    known = modalities >= 0
    if groups is not None:
        mask &= groups[:, None] == groups
        known = known & (groups >= 0)
    return (mask & known[:, None] & known).triu(1)


def pairwise_distances(embeddings: torch.Tensor, distance: str = "l1") -> torch.Tensor:
    """Distances between all pairs of embeddings.

    Args:
        embeddings: Embeddings, shape (N, D).
        distance: "l1", the mean absolute difference; "squared_l2", the mean squared difference;
            or "cosine", one minus the cosine, in [0, 2]. The cosine with a zero vector is 0.

    Returns:
        Distances, shape (N, N). The gradient is zero for equal embeddings.

    Raises:
        ValueError: If `distance` is unknown.

    Example:
        >>> pairwise_distances(torch.tensor([[0.0, 0.0], [1.0, 2.0]])).tolist()
        [[0.0, 1.5], [1.5, 0.0]]
    """
    if distance == "l1":
        return torch.cdist(embeddings, embeddings, p=1) / embeddings.shape[1]
    if distance == "squared_l2":
        exact = "donot_use_mm_for_euclid_dist"  # the other mode loses small distances
        distances = torch.cdist(embeddings, embeddings, compute_mode=exact)
        return distances.square() / embeddings.shape[1]
    if distance == "cosine":
        directions = normalize(embeddings, dim=1)
        return 1 - directions @ directions.T
    raise unknown_name("distance", distance, DISTANCES)


def modality_distance(
    embeddings: torch.Tensor, mask: torch.Tensor, distance: str = "l1", *, relative: bool = False
) -> torch.Tensor:
    """Mean distance R between the embeddings of the pairs.

    Args:
        embeddings: Embeddings, shape (N, D).
        mask: Boolean mask of the pairs, shape (N, N), see `pair_mask`.
        distance: One of `DISTANCES`.
        relative: Whether to divide by the mean distance of all pairs of the N samples. The
            relative distance does not depend on the scale of the embeddings and is 1 if the pairs
            are no closer than other samples.

    Returns:
        Scalar, not negative. It is zero with a gradient of zeros if there is no pair, and for the
        relative distance also if all embeddings are equal.

    Raises:
        ValueError: If `distance` is unknown and there is a pair.

    Example:
        >>> mask = pair_mask(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
        >>> modality_distance(torch.tensor([[0.0], [1.0], [4.0]]), mask).item()
        1.0
    """
    if not mask.any():
        return 0 * embeddings.sum()
    distances = pairwise_distances(embeddings, distance)
    of_pairs = distances[mask].mean()
    if not relative:
        return of_pairs
    of_all = distances.triu(1).sum() / (len(mask) * (len(mask) - 1) / 2)
    return of_pairs / of_all.clamp_min(torch.finfo(of_all.dtype).tiny)


def between_class_variance(embeddings: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Between-class variance of embeddings, averaged over dimensions.

    V = sum_c n_c ||mean_c - mean||^2 / (N D), with the n_c samples of class c. It is zero if the
    embeddings collapse to a point.

    Args:
        embeddings: Embeddings, shape (N, D).
        targets: Class index of every sample, shape (N,).

    Returns:
        Scalar, not negative; 0 for a single class and for no sample.

    Example:
        >>> embeddings = torch.tensor([[0.0], [2.0], [5.0], [5.0]])
        >>> between_class_variance(embeddings, torch.tensor([0, 0, 1, 1])).item()
        4.0
    """
    if not len(embeddings):
        return embeddings.new_zeros(())
    _, members = targets.unique(return_inverse=True)
    counts = torch.bincount(members).to(embeddings)
    sums = embeddings.new_zeros(len(counts), embeddings.shape[1])
    means = sums.index_add(0, members, embeddings) / counts[:, None]
    spread = (means - embeddings.mean(dim=0)).square().mean(dim=1)
    return (counts * spread).sum() / len(embeddings)
