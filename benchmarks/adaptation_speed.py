"""Adaptation per sample: NTTA with one and with two views against Tent.

CPMobile-14k, batches of 32 inputs of 96 frames and 50 bins, steps in turns in one process with one
thread. NTTA runs with its guard, which asks the source model about every batch, and without; and
with the statistics of the batch alone. Prints milliseconds of processor time per sample, median
over rounds, and ratios to Tent; then milliseconds of every corruption of a clip of 10 s at 16 kHz.

    python benchmarks/adaptation_speed.py [ROUNDS]
"""

import copy
import statistics
import sys
import time

import torch

from autrainer_ext.adaptation import make_method
from autrainer_ext.adaptation.guard import CollapseGuard
from autrainer_ext.corruptions import CORRUPTIONS, corrupt
from autrainer_ext.models import CPMobile

BATCH = 32
PATIENT = {"narrow": 0.0, "collapsed": 0.0}  # asks, and lets everything pass
METHODS = {
    "tent": ("tent", {}),
    "ntta, one view, batch": ("ntta", {"views": 1, "guard": False, "batch_share": 1.0}),
    "ntta, one view": ("ntta", {"views": 1, "guard": False}),
    "ntta, one view, guard": ("ntta", {"views": 1, "guard": CollapseGuard(**PATIENT)}),
    "ntta, two views, batch": ("ntta", {"guard": False, "batch_share": 1.0}),
    "ntta, two views": ("ntta", {"guard": False}),
    "ntta, two views, guard": ("ntta", {"guard": CollapseGuard(**PATIENT)}),
}


def steps(rounds: int) -> None:
    torch.manual_seed(0)
    model = CPMobile(10, base_channels=16, channels_multiplier=1.5, expansion_rate=2.0)
    features = torch.rand(BATCH, 1, 96, 50)
    methods = {
        label: make_method(name, copy.deepcopy(model), options)
        for label, (name, options) in METHODS.items()
    }
    seconds: dict[str, list[float]] = {label: [] for label in methods}
    for _ in range(rounds + 2):  # two to warm up
        for label, method in methods.items():
            start = time.process_time()
            method.step(features)
            seconds[label].append(time.process_time() - start)
    typical = {label: statistics.median(times[2:]) for label, times in seconds.items()}
    print(f"one thread, batches of {BATCH}, median of {rounds} steps")
    for label, duration in typical.items():
        ratio = duration / typical["tent"]
        print(f"{label:24}{1000 * duration / BATCH:7.2f} ms per sample, {ratio:.2f} times Tent")


def corruptions(rounds: int) -> None:
    clip = 0.1 * torch.randn(1, 160_000)
    sounds = {"noises": [torch.randn(80_000)], "responses": [torch.randn(8_000)]}
    print("corruption of 10 s at 16 kHz, severity 5")
    for name, corruption in CORRUPTIONS.items():
        times = []
        for _ in range(rounds):
            start = time.process_time()
            corrupt(clip, 16_000, name, 5, seed=0, sounds=sounds.get(corruption.needs, ()))
            times.append(time.process_time() - start)
        print(f"{name:24}{1000 * statistics.median(times):7.1f} ms")


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    torch.set_num_threads(1)
    steps(chosen)
    corruptions(chosen)
