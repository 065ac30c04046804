"""Losses without labels, computed from the logits of one batch.

Conventions: `logits` have shape (N, C); p is their softmax, A the matrix of all p, shape (N, C),
and p_mean the mean of its rows. Entropies are in nats, unlike the entropies of the entropy triangle
(`autrainer_ext.information`), which are in bits. Quantities of a sample have shape (N,); quantities
of a batch are scalars. Losses are minimised. An empty batch gives a zero that carries a gradient.
Batches of one sample and batches with fewer samples than classes are allowed.

Values of the three published forms of the negative nuclear norm, for 30 samples and 10 classes:

    batch                               exact     column    frobenius
    uniform rows                       -0.173     -0.548     -1.732
    collapsed: all of one class        -0.548     -0.548     -5.477
    diverse: classes equally frequent  -1.732     -1.732     -5.477

Predictions of the last two batches have probability one. `exact` distinguishes the three batches.
`column` has the same value for collapsed and uniform predictions: it rewards diversity only and
needs an entropy term. `frobenius` has the same value for collapsed and diverse predictions: it
rewards confidence only, like an entropy.
"""

import math
from typing import Literal, get_args

import torch
from torch import nn

from autrainer_ext.errors import unknown_name

Form = Literal["exact", "column", "frobenius"]
Reduction = Literal["mean", "sum", "none"]


def entropy_nats(logits: torch.Tensor) -> torch.Tensor:
    """Shannon entropy of every prediction in nats, H(p) = -sum_c p_c ln p_c.

    Args:
        logits: Logits, shape (N, C).

    Returns:
        Entropies in nats, shape (N,), in [0, ln C].

    Source:
        Grandvalet & Bengio (2004), Semi-supervised learning by entropy minimization. Wang et al.
        (2021), Tent, equation in section 3.1.

    Example:
        >>> entropy_nats(torch.tensor([[0.0, 0.0], [0.0, 100.0]])).round(decimals=4)
        tensor([0.6931, 0.0000])
    """
    log_p = logits.log_softmax(dim=1)
    return -(log_p.exp() * log_p).sum(dim=1)


def tsallis_entropy(logits: torch.Tensor, q: float) -> torch.Tensor:
    """Generalised entropy of every prediction, S_q(p) = (1 - sum_c p_c^q) / (q - 1).

    Converges to the Shannon entropy in nats for q -> 1 and is 1 - sum_c p_c^2 for q = 2. Orders
    below 1 give improbable classes more weight, orders above 1 less. The computation with expm1
    avoids cancellation near q = 1.

    Args:
        logits: Logits, shape (N, C).
        q: Order, positive; 1 gives the Shannon entropy in nats.

    Returns:
        Entropies on the scale of nats, shape (N,), in [0, (1 - C^(1 - q)) / (q - 1)].

    Raises:
        ValueError: If `q` is not positive.

    Source:
        Tsallis (1988), Possible generalization of Boltzmann-Gibbs statistics, equation 1.

    Example:
        >>> tsallis_entropy(torch.tensor([[0.0, 0.0], [0.0, 100.0]]), 2).round(decimals=4)
        tensor([0.5000, 0.0000])
    """
    if q <= 0:
        raise ValueError(f"Argument 'q' must be positive, got {q}.")
    if q == 1:
        return entropy_nats(logits)
    log_p = logits.log_softmax(dim=1)
    # sum (p - p^q) with the smaller power as a factor, which cannot overflow
    return -((min(q, 1) * log_p).exp() * torch.expm1(abs(q - 1) * log_p)).sum(dim=1) / abs(q - 1)


def nuclear_norm(logits: torch.Tensor, form: Form = "exact") -> torch.Tensor:
    """Nuclear norm of the matrix of predictions A; large if they are confident and diverse.

    exact:     ||A||_* / min(N, C), the mean singular value
    column:    sum_j ||A_j||_2 / C over the columns A_j, the form in the code of NTTA
    frobenius: ||A||_F = sqrt(sum A_ij^2), the form in the description of NTTA

    The docstring of the module compares the three forms. Singular values that are zero up to
    rounding get no gradient, so that a batch of deficient rank has the smallest subgradient.

    Args:
        logits: Logits, shape (N, C).
        form: Form of the norm. Default: "exact".

    Returns:
        A scalar, not negative.

    Raises:
        ValueError: If the form does not exist.

    Source:
        Cui et al. (2020), Towards discriminability and diversity: batch nuclear-norm
        maximization, equation 9; its fast version (2021) sums column norms. NTTA: A.-X. Shao,
        code of AMAuT and DHAuDS (column) and their description (frobenius).

    Example:
        >>> round(float(nuclear_norm(100 * torch.eye(3))), 4)  # confident and diverse
        1.0
        >>> round(float(nuclear_norm(torch.zeros(3, 3))), 4)  # uniform
        0.3333
    """
    p = logits.softmax(dim=1)
    if form not in get_args(Form):
        raise unknown_name("form", form, get_args(Form))
    if len(p) == 0:
        return p.sum()
    if form == "frobenius":
        return torch.linalg.vector_norm(p)
    if form == "column":
        return torch.linalg.vector_norm(p, dim=0).mean()
    singular = torch.linalg.svdvals(p)
    rounding = max(p.shape) * torch.finfo(p.dtype).eps * singular.detach().amax()
    return torch.where(singular > rounding, singular, 0).mean()


def diversity(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of the mean prediction in nats, H(p_mean).

    Args:
        logits: Logits, shape (N, C).

    Returns:
        Entropy in nats, a scalar in [0, ln C].

    Source:
        Krause et al. (2010), Discriminative clustering by regularized information maximization,
        equation 3. Liang et al. (2020), SHOT, equation 3.

    Example:
        >>> round(float(diversity(100 * torch.eye(2))), 4)  # two classes, equally frequent: ln 2
        0.6931
    """
    if len(logits) == 0:
        return logits.sum()
    log_mean = logits.log_softmax(dim=1).logsumexp(dim=0) - math.log(len(logits))
    return -(log_mean.exp() * log_mean).sum()


def information(logits: torch.Tensor) -> float:
    """Mutual information of samples and predictions in nats, H(p_mean) - mean H(p).

    A score without labels: high if predictions are confident and classes equally frequent.

    Args:
        logits: Logits, shape (N, C), N at least 1.

    Returns:
        Information in nats, in [0, ln C].

    Example:
        >>> round(information(100 * torch.eye(2)), 4)  # ln 2
        0.6931
    """
    return float(diversity(logits) - entropy_nats(logits).mean())


def view_distance(logits: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Euclidean distance between the predictions of two views of every sample, ||p - p'||_2.

    The gradient is zero where the views agree.

    Args:
        logits: Logits of the first view, shape (N, C).
        other: Logits of the same samples in the second view, shape (N, C).

    Returns:
        Distances, shape (N,), in [0, sqrt(2)].

    Raises:
        ValueError: If the shapes differ.

    Source:
        A.-X. Shao, code of DHAuDS, which calls it a mean squared error.

    Example:
        >>> view_distance(torch.tensor([[100.0, 0.0]]), torch.tensor([[0.0, 100.0]]))
        tensor([1.4142])
    """
    if logits.shape != other.shape:
        raise ValueError(f"Views of shapes {tuple(logits.shape)} and {tuple(other.shape)} differ.")
    return torch.linalg.vector_norm(logits.softmax(dim=1) - other.softmax(dim=1), dim=1)


class EntropyLoss(nn.Module):
    """Shannon or generalised entropy of the predictions, in nats for q = 1.

    Args:
        q: Order of the generalised entropy. Default: 1, the Shannon entropy.
        reduction: "mean" (default), "sum" or "none".

    Raises:
        ValueError: If `q` is not positive or the reduction does not exist.
    """

    def __init__(self, q: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__()
        tsallis_entropy(torch.zeros(0, 2), q)
        self.q = q
        self.reduction = _known(reduction)

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Loss from logits of shape (N, C); see `tsallis_entropy`."""
        return _reduce(tsallis_entropy(logits, self.q), self.reduction)


class NuclearNormLoss(nn.Module):
    """Negative nuclear norm of the predictions; see `nuclear_norm`.

    Args:
        form: "exact" (default), "column" or "frobenius".

    Raises:
        ValueError: If the form does not exist.
    """

    def __init__(self, form: Form = "exact") -> None:
        super().__init__()
        nuclear_norm(torch.zeros(0, 2), form)
        self.form = form

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Loss from logits of shape (N, C), a scalar."""
        return -nuclear_norm(logits, self.form)


class DiversityLoss(nn.Module):
    """Negative entropy of the mean prediction in nats; see `diversity`."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Loss from logits of shape (N, C), a scalar."""
        return -diversity(logits)


class ViewConsistencyLoss(nn.Module):
    """Distance between the predictions of two views; see `view_distance`.

    Args:
        reduction: "mean" (default), "sum" or "none".

    Raises:
        ValueError: If the reduction does not exist.
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.reduction = _known(reduction)

    def forward(self, logits: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Loss from the logits of two views, both of shape (N, C)."""
        return _reduce(view_distance(logits, other), self.reduction)


def _known(reduction: Reduction) -> Reduction:
    if reduction not in get_args(Reduction):
        raise unknown_name("reduction", reduction, get_args(Reduction))
    return reduction


def _reduce(values: torch.Tensor, reduction: Reduction) -> torch.Tensor:
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" and len(values) else values.sum()
