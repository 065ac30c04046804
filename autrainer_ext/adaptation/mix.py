"""Class mix of a folder, estimated without labels, and predictions corrected for it.

Conventions: `logits` have shape (N, C); a mix holds the share of every class, shape (C,), and sums
to one. The source model is assumed to be trained on equally frequent classes.
"""

import math

import torch

TEMPERATURE = 0.5  # networks trained with label smoothing are underconfident
_PSEUDO_COUNT = 0.1
_SMALLEST_SHARE = 0.003


def estimate_mix(
    logits: torch.Tensor, *, temperature: float = TEMPERATURE, n_iterations: int = 200
) -> torch.Tensor:
    """Class mix with the largest posterior, by expectation maximisation.

    pi_c <- (sum_i r_ic + a) / (N + a C),  r_ic = pi_c p_ic / sum_k pi_k p_ik

    Here p is the softmax of logits / temperature, and a = 0.1 is the pseudo-count of a Dirichlet
    prior. The estimate is biased where the model confuses classes.

    Args:
        logits: Logits of the source model, shape (N, C). An empty tensor gives an even mix.
        temperature: Temperature of the predictions, positive. Default: 0.5.
        n_iterations: Largest number of iterations. Default: 200.

    Returns:
        Shares, shape (C,), positive, sum 1.

    Raises:
        ValueError: If the temperature is not positive.

    Source:
        Saerens, Latinne & Decaestecker (2002), Adjusting the outputs of a classifier to new a
        priori probabilities, equations 9 and 10.

    Example:
        >>> sure = 100 * torch.eye(2)[[0, 0, 0, 1]]
        >>> estimate_mix(sure).round(decimals=3)  # 3.1 / 4.2 and 1.1 / 4.2
        tensor([0.7380, 0.2620])
    """
    if not temperature > 0:
        raise ValueError(f"Argument 'temperature' must be positive, got {temperature}.")
    p = (logits / temperature).softmax(dim=1)
    n_classes = logits.shape[1]
    mix = p.new_full((n_classes,), 1 / n_classes)
    for _ in range(n_iterations):
        joint = p * mix
        counts = (joint / joint.sum(dim=1, keepdim=True).clamp_min(1e-30)).sum(dim=0)
        last, mix = mix, (counts + _PSEUDO_COUNT) / (counts + _PSEUDO_COUNT).sum()
        if (mix - last).abs().max() < 1e-5:
            break
    return mix


def mix_error(logits: torch.Tensor, *, n_draws: int = 20, seed: int = 0) -> torch.Tensor:
    """Bootstrap standard error of `estimate_mix` over samples.

    It covers the choice of the samples only, not the confusions of the model.

    Args:
        logits: Logits of the source model, shape (N, C).
        n_draws: Number of draws with replacement, at least 2. Default: 20.
        seed: Seed of the draws. Default: 0.

    Returns:
        Standard errors, shape (C,).

    Example:
        >>> mix_error(100 * torch.eye(2)[[0, 0, 0]])  # all draws agree
        tensor([0., 0.])
    """
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randint(len(logits), (n_draws, len(logits)), generator=generator)
    mixes = [estimate_mix(logits[drawn], n_iterations=50) for drawn in draws]
    return torch.stack(mixes).std(dim=0)


def effective_classes(mix: torch.Tensor) -> float:
    """Number of equally frequent classes with the same entropy, exp H(pi), in [1, C].

    Args:
        mix: Shares, shape (C,).

    Example:
        >>> round(effective_classes(torch.tensor([0.5, 0.5, 0.0])), 4)
        2.0
    """
    return math.exp(float(torch.special.entr(mix).sum()))


def unevenness(mix: torch.Tensor) -> float:
    """Sum of absolute differences from equally frequent classes, in [0, 2 - 2 / C].

    Args:
        mix: Shares, shape (C,).

    Example:
        >>> unevenness(torch.tensor([1.0, 0.0]))
        1.0
    """
    return float((mix - 1 / len(mix)).abs().sum())


def mix_bias(mix: torch.Tensor, strength: float = 0.5) -> torch.Tensor:
    """Constant to add to logits so that they expect a mix, strength * ln(C pi).

    With strength 1 and calibrated predictions this is Bayes' rule. Shares below 0.003 count as
    0.003.

    Args:
        mix: Shares, shape (C,).
        strength: Share of the correction, in [0, 1]. Default: 0.5, for an uncertain estimate.

    Returns:
        Bias, shape (C,); zero for an even mix.

    Source:
        Saerens et al. (2002), equation 4.

    Example:
        >>> mix_bias(torch.tensor([0.5, 0.5]))
        tensor([0., 0.])
    """
    return strength * (mix.clamp_min(_SMALLEST_SHARE) * len(mix)).log()
