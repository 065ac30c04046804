"""Forward passes of CP-Mobile: the engine in torch and in onnxruntime against the network itself.

Prints processor time per input for batches of several sizes, inputs of 501 frames of 64 mel bins,
the ratios with their range over rounds, and what an export costs. Uses one thread.

    python benchmarks/forward_speed.py
"""

import time

import numpy as np
import torch

from autrainer_ext.models import CPMobile
from autrainer_ext.serving.forward import ForwardPass

ROUNDS = 5
SHAPE = (1, 501, 64)


def seconds(call, *arguments) -> float:
    start = time.process_time()
    call(*arguments)
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = CPMobile(output_dim=10).eval()
    plain = torch.inference_mode()(network)
    print(f"{'batch':>5}{'network, ms':>13}{'torch':>20}{'onnxruntime':>20}")
    for size in (1, 4, 16, 32):
        features = torch.randn(size, *SHAPE)
        ways = [plain]
        for backend in ("torch", "onnxruntime"):
            forward = ForwardPass(network, device="cpu", backend=backend, batch_size=size)
            first = seconds(forward, features)
            ways.append(forward)
        found = np.array([[seconds(way, features) for way in ways] for _ in range(ROUNDS)])
        ratios = found[:, :1] / found[:, 1:]
        spread = [f"{np.median(r):.1f} ({r.min():.1f} to {r.max():.1f})" for r in ratios.T]
        milliseconds = 1e3 * np.median(found[:, 0]) / size
        print(f"{size:>5}{milliseconds:>13.1f}{spread[0]:>20}{spread[1]:>20}")
    print(f"Export, session and check of the last batch: {first:.1f} s")


if __name__ == "__main__":
    main()
