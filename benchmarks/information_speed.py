"""Triangle coordinates of many tables against a loop over their cells.

Both compute the split and the joint coordinates of the same confusion tables; the loop works table
by table and cell by cell, from the definitions of the entropies. They must agree.
"""

import math

import numpy as np

from autrainer_ext.information import entropies, triangle_points
from benchmarks.rows import Row, in_turns

_OFTEN = 20  # a single pass is too short for the clock


def vectorised(counts: np.ndarray) -> np.ndarray:
    points = triangle_points(entropies(counts)).values()
    return np.stack([[p.divergence, p.mutual_information, p.variation] for p in points])


def looped(counts: np.ndarray) -> np.ndarray:
    """Coordinates of one table, shape (3 views, 3)."""
    n_true, n_pred = counts.shape
    n = counts.sum()
    rows = [sum(counts[i, j] for j in range(n_pred)) / n for i in range(n_true)]
    columns = [sum(counts[i, j] for i in range(n_true)) / n for j in range(n_pred)]
    h_true = -sum(p * math.log2(p) for p in rows if p > 0)
    h_pred = -sum(p * math.log2(p) for p in columns if p > 0)
    shared = h_true_given_pred = h_pred_given_true = 0.0
    for i in range(n_true):
        for j in range(n_pred):
            p = counts[i, j] / n
            if p > 0:
                shared += p * math.log2(p / (rows[i] * columns[j]))
                h_true_given_pred -= p * math.log2(p / columns[j])
                h_pred_given_true -= p * math.log2(p / rows[i])
    u_true, u_pred = math.log2(n_true), math.log2(n_pred)
    true = np.array([u_true - h_true, shared, h_true_given_pred])
    pred = np.array([u_pred - h_pred, shared, h_pred_given_true])
    return np.stack([true / u_true, pred / u_pred, (true + pred) / (u_true + u_pred)])


def rows(*, quick: bool) -> list[Row]:
    found = []
    for n_tables, n_classes in ((100, 10), (1000, 10), (2000, 10), (1000, 5), (1000, 20)):
        if quick and n_tables * n_classes > 10_000:
            continue
        shape = (n_tables, n_classes, n_classes)
        counts = np.random.default_rng(0).poisson(3, shape) + np.eye(n_classes, dtype=int)
        expected = np.stack([looped(table) for table in counts], axis=-1)
        np.testing.assert_allclose(vectorised(counts), expected, rtol=0, atol=1e-10)
        times = in_turns(
            {
                "loop": lambda counts=counts: [looped(table) for table in counts],
                "ours": lambda counts=counts: [vectorised(counts) for _ in range(_OFTEN)],
            },
            3 if quick else 9,
        )
        name = f"triangles of {n_tables:,} tables of {n_classes} classes"
        ratios = times["ours"] / _OFTEN / times["loop"]
        found.append(Row(name, "loop over cells", ratios, note="equal to 1e-10"))
    return found
