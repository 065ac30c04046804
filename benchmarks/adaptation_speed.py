"""A step of adaptation: NTTA with one and with two views against Tent.

CPMobile-14k, batches of 32 inputs of 96 frames and 50 bins. NTTA runs with its guard, which asks
the source model about every batch, and without; and with the statistics of the batch alone. The
notes count the forward passes per input of a step.
"""

import copy
from collections.abc import Callable

import torch
from torch.nn.modules.module import register_module_forward_hook

from autrainer_ext.adaptation import make_method
from autrainer_ext.adaptation.guard import CollapseGuard
from autrainer_ext.models import CPMobile
from benchmarks.rows import Row, in_turns

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


def count_forward(job: Callable[[], object]) -> float:
    """Forward passes of networks that a job makes, per input of a batch."""
    passes: list[float] = []

    def count(module, inputs, _outputs):
        if isinstance(module, CPMobile):
            passes.append(len(inputs[0]) / BATCH)

    handle = register_module_forward_hook(count)
    try:
        job()
    finally:
        handle.remove()
    return sum(passes)


def rows(*, quick: bool) -> list[Row]:
    torch.manual_seed(0)
    model = CPMobile(10, base_channels=16, channels_multiplier=1.5, expansion_rate=2.0)
    features = torch.rand(BATCH, 1, 96, 50)
    methods = {
        label: make_method(name, copy.deepcopy(model), options)
        for label, (name, options) in METHODS.items()
    }
    jobs = {label: lambda method=method: method.step(features) for label, method in methods.items()}
    notes = {
        label: f"forward passes per input: {count_forward(job):g}" for label, job in jobs.items()
    }
    times = in_turns(jobs, 5 if quick else 30)
    return [
        Row(f"step of {label}", "step of Tent", times[label] / times["tent"], note=notes[label])
        for label in methods
        if label != "tent"
    ]
