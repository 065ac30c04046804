"""All 14 masks and 7 measures of a clip: one forward pass per mask and side against ours.

The first way is that of the mask-and-reconstruct study: its own masks, each scored alone with a
forward pass for the kept and one for the removed part, and Quantus computes SPS and COMP of
the mask. Where Quantus is not installed its two formulas in numpy take its place, which are faster.
CP-Mobile, features of 501 frames of 64 mel bins; prints seconds per clip and the ratio.

    python benchmarks/fidelity_speed.py STATE.npz [CLIPS] [ROUNDS]
"""

import sys
import time

import numpy as np
import torch

from autrainer_ext.explanation.fidelity import complexity, score_masks, sparseness
from autrainer_ext.explanation.masks import MASKS, make_masks
from autrainer_ext.models.fusion import fuse_batch_norms
from autrainer_ext.serving.published import load_cp_mobile

SILENCE = -1.4


def quantus_or_numpy():
    try:
        import quantus
    except ImportError:
        return "numpy", lambda values: (numpy_sparseness(values), numpy_complexity(values))
    sparse, complex_ = quantus.Sparseness(), quantus.Complexity()

    def measure(values):
        arguments = {"model": None, "x_batch": values, "y_batch": np.zeros(len(values), dtype=int)}
        return [metric(**arguments, a_batch=values.copy()) for metric in (sparse, complex_)]

    return "Quantus", measure


def numpy_sparseness(values):
    ascending = np.sort(np.abs(values).ravel() + 1e-7)
    n = len(ascending)
    return (2 * np.arange(1, n + 1) - n - 1) @ ascending / (n * ascending.sum())


def numpy_complexity(values):
    shares = np.abs(values).ravel() / np.abs(values).sum()
    return -(shares * np.log(shares + 1e-12)).sum()


@torch.no_grad()
def one_by_one(model, features, target, maps, measure):
    rows, f = [], model(features).softmax(1)[0, target]
    for mask in make_masks(maps, source_compatible=True).values():
        kept = model((features - SILENCE) * mask + SILENCE).softmax(1)[0]
        removed = model((features - SILENCE) * (1 - mask) + SILENCE).softmax(1)[0, target]
        f_in = kept[target]
        drop, gain = (f - f_in).clamp(min=0) / f, (f_in - f).clamp(min=0) / (1 - f)
        row = [f - removed, f_in > f, 100 * drop, 100 * gain, kept.argmax() == target]
        # Quantus refuses a mask of ones, to which the study gives 0
        complexities = (0.0, 0.0) if bool((mask == 1).all()) else measure(mask.double().numpy())
        rows.append([*map(float, row), *complexities])
    return rows


def together(model, features, target, maps):
    masks = make_masks(maps)
    scores = score_masks(model, features, target, masks, baseline=SILENCE)
    return scores, sparseness(maps), complexity(maps)


def clocks() -> np.ndarray:
    """Time and time of the processor, which other programs hardly change."""
    return np.array([time.perf_counter(), time.process_time()])


def main(state: str, n_clips: int = 8, rounds: int = 3) -> None:
    torch.manual_seed(0)
    model = load_cp_mobile(state)
    fused = fuse_batch_norms(model).to(memory_format=torch.channels_last)
    library, measure = quantus_or_numpy()
    clips = [torch.randn(1, 1, 501, 64) for _ in range(n_clips)]
    maps = [torch.randn(1, 1, 501, 64) for _ in clips]
    with torch.no_grad():
        targets = [model(clip).argmax(1) for clip in clips]
    times: dict[str, list[np.ndarray]] = {"one by one": [], "together": []}
    for _ in range(rounds):
        start = clocks()
        for clip, target, one in zip(clips, targets, maps, strict=True):
            expected = one_by_one(model, clip, int(target), one, measure)
        times["one by one"].append(clocks() - start)
        start = clocks()
        for clip, target, one in zip(clips, targets, maps, strict=True):
            found, *_ = together(fused, clip, target, one)
        times["together"].append(clocks() - start)
    position = list(MASKS).index("bin")  # equal in both ways
    difference = abs(float(found["bin"].FF) - expected[position][0])
    print(f"{torch.get_num_threads()} threads, {n_clips} clips, best of {rounds} rounds, {library}")
    best = {name: np.min(rows, axis=0) for name, rows in times.items()}
    for name, (wall, processor) in best.items():
        print(f"{name}: {wall / n_clips:.3f} s per clip, {processor / n_clips:.3f} s of processor")
    ratios = best["one by one"] / best["together"]
    print(f"ratio: 1/{ratios[0]:.2f}, of processor time 1/{ratios[1]:.2f}")
    print(f"difference of FF under the mask bin: {difference:.1e}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
