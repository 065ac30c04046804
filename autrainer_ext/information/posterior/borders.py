"""Tests whether the true value lies on the border of its range.

At independence the mutual information is zero, and with even labels a divergence is zero: all
estimates then lie on one side of the truth. Tests, unlike posteriors, are exact there.

Source:
    Dawson (1954), A simplified expression for the variance of the chi-squared function on a
    contingency table. 10.1093/biomet/41.1-2.280.
"""

import numpy as np
from scipy.special import gammaincc

# Which hypothesis puts a quantity on the border of its range, and which border that is.
BORDERS = {
    "mutual_information": ("independent", 0),
    "variation_true": ("even_true_independent", 1),
    "variation_pred": ("even_pred_independent", 1),
    "variation_joint": ("even_cells", 1),
    "divergence_true": ("even_true", 0),
    "divergence_pred": ("even_pred", 0),
    "divergence_joint": ("even_both", 0),
    "x_true": ("even_true_independent", 0),
    "x_pred": ("even_pred_independent", 0),
    "x_joint": ("even_cells", 0),
}


def border_p_values(counts: np.ndarray) -> dict[str, float]:
    """p-values of the hypotheses in `BORDERS`, from Pearson's statistics.

    The statistics are taken as scaled chi-squared variables with the exact mean and variance under
    the hypothesis; for independence these are given both margins.

    Args:
        counts: Confusion matrix, shape (k, k), at least 4 samples.

    Returns:
        p-value of each hypothesis in [0, 1].

    Example:
        >>> p = border_p_values(np.array([[30, 10], [10, 30]]))
        >>> round(p["independent"], 4), round(p["even_true"], 4)
        (0.0, 1.0)
    """
    counts = np.asarray(counts, dtype=float)
    k, n = len(counts), counts.sum()
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    statistic, mean, variance = _independence(counts, rows, columns)
    x_rows, x_columns = (((v - n / k) ** 2).sum() * k / n for v in (rows, columns))
    cells = ((counts - n / k**2) ** 2).sum() * k**2 / n
    m, v = k - 1, 2 * (k - 1) * (n - 1) / n  # of one margin
    common = min(statistic / n, k - 1)  # squared correlation of both margins
    return {
        "independent": _tail(statistic, mean, variance),
        "even_true": _tail(x_rows, m, v),
        "even_pred": _tail(x_columns, m, v),
        "even_both": _tail(x_rows + x_columns, 2 * m, 2 * v + 4 * common),
        "even_true_independent": _tail(x_rows + statistic, m + mean, v + variance),
        "even_pred_independent": _tail(x_columns + statistic, m + mean, v + variance),
        "even_cells": _tail(cells, k * k - 1, 2 * (k * k - 1) * (n - 1) / n),
    }


def _independence(
    counts: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[float, float, float]:
    """Pearson's statistic of independence, its mean and variance given both margins."""
    n = counts.sum()
    expected = np.outer(rows, columns)
    squares = np.divide(counts**2, expected, out=np.zeros_like(expected), where=expected > 0)
    r, c = rows[rows > 0], columns[columns > 0]
    free = [(len(v) - 1) * (n - len(v)) / (n - 1) for v in (r, c)]
    uneven = [(n * (1 / v).sum() - len(v) ** 2) / (n - 2) for v in (r, c)]
    mean = n / (n - 1) * (len(r) - 1) * (len(c) - 1)
    variance = 2 * n / (n - 3) * (free[0] - uneven[0]) * (free[1] - uneven[1])
    variance += n**2 / (n - 1) * uneven[0] * uneven[1]
    return n * (squares.sum() - 1), mean, max(variance, 1e-9)


def _tail(statistic: float, mean: float, variance: float) -> float:
    """Upper tail of a scaled chi-squared variable; 1 if the statistic is always zero."""
    if mean <= 0:
        return 1.0
    return float(gammaincc(mean**2 / variance, max(statistic, 0) * mean / variance))
