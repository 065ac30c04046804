"""What the plugin `LatentSpace` does to the embeddings of one layer, on many of them.

Made from code: 20,000 embeddings of 1,280 values, ten classes on six devices. Prints seconds and
the largest memory of the process.

    python benchmarks/latent_speed.py [SAMPLES] [VALUES]
"""

import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from autrainer_ext.latent import (
    nearest_on_other_devices,
    persistence_diagrams,
    probe,
    project,
    silhouette,
    subsample,
)

CLASSES, DEVICES, PERSISTENCE_POINTS = 10, 6, 300


def main(samples: int = 20_000, values: int = 1_280) -> None:
    rng = np.random.default_rng(0)
    classes, devices = (rng.integers(n, size=samples) for n in (CLASSES, DEVICES))
    centres = rng.normal(size=(CLASSES, values)), 0.3 * rng.normal(size=(DEVICES, values))
    noise = 2 * rng.normal(size=(samples, values))
    z = (centres[0][classes] + centres[1][devices] + noise).astype(np.float32)
    kept = subsample(samples, PERSISTENCE_POINTS, 0)
    jobs: dict[str, Callable[[], object]] = {
        "linear probe, class": lambda: probe(z, classes),
        "linear probe, device": lambda: probe(z, devices),
        "silhouette, class": lambda: silhouette(z, classes),
        "silhouette, device": lambda: silhouette(z, devices),
        "retrieval": lambda: nearest_on_other_devices(z, classes, devices),
        "persistence": lambda: persistence_diagrams(z[kept]),
        "Isomap": lambda: project(z, "isomap"),
        "t-SNE": lambda: project(z, "tsne"),
    }
    total = 0.0
    for name, job in jobs.items():
        start = time.perf_counter()
        job()
        seconds = time.perf_counter() - start
        total += seconds
        print(f"{name:22}{seconds:8.1f} s", flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'all':22}{total:8.1f} s, {memory:.2f} GiB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
