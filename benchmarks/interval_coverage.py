"""How often 95 % bootstrap intervals of confusion tables hold the true value.

Draws tables from a known distribution of true and predicted labels, ten classes with frequencies
1 to 1/10 of which about half are predicted correctly, and counts how often the interval of each
method holds the value of that distribution.

    python benchmarks/interval_coverage.py
"""

import argparse

import numpy as np

from autrainer_ext.information import (
    BOOTSTRAP_METHODS,
    accuracy,
    confusion_interval,
    entropies,
    triangle_points,
)

CLASSES = 10
NAMES = ("mutual information", "divergence of predictions", "accuracy")


def statistic(counts: np.ndarray) -> np.ndarray:
    point = triangle_points(entropies(counts))["pred"]
    return np.stack([point.mutual_information, point.divergence, accuracy(counts)], axis=-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--samples", type=int, nargs="+", default=[100, 600, 3000])
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    mistakes = rng.dirichlet(np.full(CLASSES, 0.5), size=CLASSES)
    shares = (0.45 * np.eye(CLASSES) + 0.55 * mistakes) / np.arange(1, CLASSES + 1)[:, None]
    shares /= shares.sum()
    truth = statistic(shares)
    print(f"{'samples':8}{'method':12}" + "".join(f"{name:>27}" for name in NAMES))
    for n in arguments.samples:
        drawn = rng.multinomial(n, shares.ravel(), size=arguments.tables)
        tables = drawn.reshape(-1, CLASSES, CLASSES)
        for method in BOOTSTRAP_METHODS:
            low, high = confusion_interval(
                tables, statistic, method=method, n_resamples=arguments.resamples
            )
            held = ((low <= truth) & (truth <= high)).mean(axis=0)
            print(f"{n:<8}{method:12}" + "".join(f"{share:27.2f}" for share in held), flush=True)


if __name__ == "__main__":
    main()
