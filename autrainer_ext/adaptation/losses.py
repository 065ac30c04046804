"""Losses that need no labels: functions of the logits of one batch.

Conventions: `logits` have shape (N, C); p is their softmax, A the matrix of all p, shape (N, C),
p_mean the average of its rows. Entropies are in nats. Quantities of a sample keep shape (N,);
those that only a batch has are scalars. Losses are to be minimised. An empty batch gives a zero
that carries a gradient; batches of one and more classes than samples are ordinary cases.

What the three documented forms of nuclear-norm maximisation do, with 30 samples, 10 classes:

    batch                               exact     column    frobenius
    uniform rows                       -0.173     -0.548     -1.732
    collapsed: all sure of one class   -0.548     -0.548     -5.477
    diverse: sure, classes equal       -1.732     -1.732     -5.477

`exact` tells the three apart. `column` cannot tell collapse from uniform rows: it rewards
diversity only and needs an entropy beside it. `frobenius` cannot tell collapse from diverse rows:
it rewards confidence only, like an entropy.
"""

import math
from typing import Literal

import torch
from torch import nn

Form = Literal["exact", "column", "frobenius"]
Reduction = Literal["mean", "sum", "none"]


def entropy_nats(logits: torch.Tensor) -> torch.Tensor:
    """Shannon entropy of every prediction, H(p) = -sum_c p_c ln p_c.

    Args:
        logits: Shape (N, C).

    Returns:
        Nats, shape (N,), in [0, ln C].

    Source:
        Grandvalet & Bengio (2004), Semi-supervised learning by entropy minimization. Wang et al.
        (2021), Tent, equation in section 3.1.
    """
    log_p = logits.log_softmax(dim=1)
    return -(log_p.exp() * log_p).sum(dim=1)


def tsallis_entropy(logits: torch.Tensor, q: float) -> torch.Tensor:
    """Generalised entropy of every prediction, S_q(p) = (1 - sum_c p_c^q) / (q - 1).

    Shannon's at q = 1, to which it converges; 1 - sum_c p_c^2 at q = 2. Below 1 it weighs rare
    classes more, above 1 less. Around q = 1 it is evaluated through expm1, without cancellation.

    Args:
        logits: Shape (N, C).
        q: Order, positive.

    Returns:
        Shape (N,), in [0, (1 - C^(1 - q)) / (q - 1)].

    Raises:
        ValueError: If `q` is not positive.

    Source:
        Tsallis (1988), Possible generalization of Boltzmann-Gibbs statistics, equation 1.
    """
    if q <= 0:
        raise ValueError(f"q must be positive, got {q}.")
    if q == 1:
        return entropy_nats(logits)
    log_p = logits.log_softmax(dim=1)
    # sum (p - p^q) with the smaller power factored out, which cannot overflow
    return -((min(q, 1) * log_p).exp() * torch.expm1(abs(q - 1) * log_p)).sum(dim=1) / abs(q - 1)


def nuclear_norm(logits: torch.Tensor, form: Form = "exact") -> torch.Tensor:
    """Norm of the matrix of predictions A whose maximisation makes them sure and diverse.

    exact:     ||A||_* / min(N, C), the average singular value
    column:    sum_j ||A_j||_2 / C over the columns A_j, the form of NTTA's code
    frobenius: ||A||_F = sqrt(sum A_ij^2), the form of NTTA's description

    The module's docstring tells what each of them rewards. Singular values that are zero up to
    rounding get no gradient, so that a batch of deficient rank has the smallest subgradient and
    not an arbitrary one.

    Args:
        logits: Shape (N, C).
        form: Which of the three.

    Returns:
        A scalar, not negative.

    Raises:
        ValueError: If there is no such form.

    Source:
        Cui et al. (2020), Towards discriminability and diversity: batch nuclear-norm
        maximization, equation 9; its fast version (2021) sums column norms. NTTA: A.-X. Shao,
        code of AMAuT and DHAuDS (column) and their description (frobenius).
    """
    p = logits.softmax(dim=1)
    if form not in ("exact", "column", "frobenius"):
        raise ValueError(f"form must be 'exact', 'column' or 'frobenius', got '{form}'.")
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
    """Entropy of the average prediction, H(p_mean); information maximisation raises it.

    H(p_mean) - mean H(p) is the information that a sample's identity carries about its
    prediction.

    Args:
        logits: Shape (N, C).

    Returns:
        Nats, a scalar in [0, ln C].

    Source:
        Krause et al. (2010), Discriminative clustering by regularized information maximization,
        equation 3. Liang et al. (2020), SHOT, equation 3.
    """
    if len(logits) == 0:
        return logits.sum()
    log_mean = logits.log_softmax(dim=1).logsumexp(dim=0) - math.log(len(logits))
    return -(log_mean.exp() * log_mean).sum()


def view_distance(logits: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Euclidean distance between the predictions of two views of every sample, ||p - p'||_2.

    Its gradient is zero where the views agree.

    Args:
        logits: Shape (N, C).
        other: The same samples in the other view, shape (N, C).

    Returns:
        Shape (N,), in [0, sqrt(2)].

    Raises:
        ValueError: If the shapes differ.

    Source:
        A.-X. Shao, code of DHAuDS, where it is called a mean squared error.
    """
    if logits.shape != other.shape:
        raise ValueError(f"Views of shapes {tuple(logits.shape)} and {tuple(other.shape)} differ.")
    return torch.linalg.vector_norm(logits.softmax(dim=1) - other.softmax(dim=1), dim=1)


class EntropyLoss(nn.Module):
    """Shannon or generalised entropy of the predictions.

    Args:
        q: Order of the generalised entropy; 1 is Shannon's.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: If `q` is not positive or there is no such reduction.
    """

    def __init__(self, q: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__()
        tsallis_entropy(torch.zeros(0, 2), q)
        self.q = q
        self.reduction = _known(reduction)

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Loss of `logits`, shape (N, C); see `tsallis_entropy`."""
        return _reduce(tsallis_entropy(logits, self.q), self.reduction)


class NuclearNormLoss(nn.Module):
    """The negative of a form of the nuclear norm; see `nuclear_norm`.

    Args:
        form: "exact", "column" or "frobenius".

    Raises:
        ValueError: If there is no such form.
    """

    def __init__(self, form: Form = "exact") -> None:
        super().__init__()
        nuclear_norm(torch.zeros(0, 2), form)
        self.form = form

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Loss of `logits`, shape (N, C)."""
        return -nuclear_norm(logits, self.form)


class DiversityLoss(nn.Module):
    """The negative entropy of the average prediction; see `diversity`."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Loss of `logits`, shape (N, C)."""
        return -diversity(logits)


class ViewConsistencyLoss(nn.Module):
    """Distance between the predictions of two views; see `view_distance`.

    Args:
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: If there is no such reduction.
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.reduction = _known(reduction)

    def forward(self, logits: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Loss of the logits of two views, both of shape (N, C)."""
        return _reduce(view_distance(logits, other), self.reduction)


def _known(reduction: str) -> Reduction:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got '{reduction}'.")
    return reduction


def _reduce(values: torch.Tensor, reduction: Reduction) -> torch.Tensor:
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" and len(values) else values.sum()
