"""The engine of forward passes against the network itself, on a processor.

CP-Mobile with 126,952 parameters, inputs of 501 frames and 64 bins. Batches hold the stated number
of inputs. The export and the comparison with torch come before the first turn.
"""

import torch

from autrainer_ext.models import CPMobile
from autrainer_ext.serving.forward import ForwardPass
from benchmarks.rows import Row, in_turns

SHAPE = (1, 501, 64)


def rows(*, quick: bool) -> list[Row]:
    torch.manual_seed(0)
    network = CPMobile(output_dim=10).eval()
    plain = torch.inference_mode()(network)
    found = []
    for size in (1, 16) if quick else (1, 4, 16, 32):
        features = torch.randn(size, *SHAPE)
        jobs = {"network": lambda features=features: plain(features)}
        for backend in ("torch", "onnxruntime"):
            forward = ForwardPass(network, device="cpu", backend=backend, batch_size=size)
            jobs[backend] = lambda forward=forward, features=features: forward(features)
        times = in_turns(jobs, 3 if quick else 9)
        milliseconds = 1e3 * float(times["network"].min()) / size
        for backend in ("torch", "onnxruntime"):
            name = f"forward passes in batches of {size}, {backend}"
            ratios = times[backend] / times["network"]
            note = f"network: {milliseconds:.1f} ms per input"
            found.append(Row(name, "the network itself", ratios, note=note))
    return found
