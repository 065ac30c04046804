"""Distance between recordings of one class on different devices, in the space of embeddings.

    R = mean over pairs (i, j) of d(z_i, z_j),   y_i = y_j,  m_i != m_j

with embeddings z, classes y and modalities m, such as recording devices. It is normalised by the
number of pairs and by the dimension, so that its weight means the same for any batch and layer.
A constant z makes it zero: look at `between_class_variance` along with it. Where a batch norm
follows the layer the class loss does not even notice that z shrinks, and R alone drives it to zero;
relative to the mean distance of all samples, R gains nothing by that.

Source:
    Bouchez and Kerkeni (2023), MODAC, classification of acoustic scenes robust to the recording
    device, section 2, there the sum of L1 norms; Primus et al. (2019), Exploiting parallel audio
    recordings to enforce device invariance in CNN-based acoustic scene classification.
"""

import torch
from torch.nn.functional import normalize

from autrainer_ext.errors import unknown_name

DISTANCES = ("l1", "squared_l2", "cosine")


def pair_mask(
    targets: torch.Tensor, modalities: torch.Tensor, groups: torch.Tensor | None = None
) -> torch.Tensor:
    """Which samples are to be compared: those of one class and different modalities.

    Args:
        targets: Class of every sample, shape (N,).
        modalities: Modality of every sample, shape (N,); a negative one is unknown and takes
            part in no pair.
        groups: Group of every sample, shape (N,), such as the moment that several devices
            recorded at once: only samples of one group are paired. A negative one is unknown.
            Default: all samples are one group.

    Returns:
        Whether (row, column) is a pair, shape (N, N); every pair once, above the diagonal.
    """
    mask = targets[:, None] == targets
    mask &= modalities[:, None] != modalities
    known = modalities >= 0
    if groups is not None:
        mask &= groups[:, None] == groups
        known = known & (groups >= 0)
    return (mask & known[:, None] & known).triu(1)


def pairwise_distances(embeddings: torch.Tensor, distance: str = "l1") -> torch.Tensor:
    """Distances between all rows, without a tensor of all differences.

    Args:
        embeddings: Shape (N, D).
        distance: "l1", the mean of absolute differences; "squared_l2", the mean of squared
            differences; or "cosine", one minus the cosine, in [0, 2]. The cosine with a vector
            of zeros counts as 0.

    Returns:
        Shape (N, N). Where two rows are equal the gradient is zero.

    Raises:
        ValueError: If `distance` is not one of `DISTANCES`.
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
    """Mean distance of the pairs.

    Args:
        embeddings: Shape (N, D).
        mask: Pairs, shape (N, N), as from `pair_mask`.
        distance: One of `DISTANCES`.
        relative: Whether to divide by the mean distance of any two of the N samples: 1 for pairs
            that are no closer than others, whatever the scale of the embeddings.

    Returns:
        Scalar, not negative; without a pair, and relative for N equal samples, a zero that carries
        a gradient of zeros.
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
    """How far apart the classes are: variance of the class means, averaged over dimensions.

    Falls to zero where embeddings collapse to a point.

    Args:
        embeddings: Shape (N, D).
        targets: Class of every sample, shape (N,).

    Returns:
        Mean over samples and dimensions of the squared distance between the mean of the sample's
        class and that of all samples, scalar; 0 for a single class and for no sample.
    """
    if not len(embeddings):
        return embeddings.new_zeros(())
    _, members = targets.unique(return_inverse=True)
    counts = torch.bincount(members).to(embeddings)
    sums = embeddings.new_zeros(len(counts), embeddings.shape[1])
    means = sums.index_add(0, members, embeddings) / counts[:, None]
    spread = (means - embeddings.mean(dim=0)).square().mean(dim=1)
    return (counts * spread).sum() / len(embeddings)
