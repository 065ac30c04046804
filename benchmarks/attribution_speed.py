"""LIME on CP-Mobile: lime's image explainer with 1000 samples against ours with fewer and paired.

Both explain the same clips, 501 frames of 64 mel bins, over the same segments. How good a map is
tells the Spearman correlation of its segment weights with those of lime's image explainer with
20,000 samples. Ours has its perturbations in pairs of complements, batch norms folded into
convolutions, channels last in memory and sixteen copies to a batch; prints seconds per clip,
quality and ratio.

    python benchmarks/attribution_speed.py STATE.npz CLIP.wav [CLIP.wav ...]

STATE.npz: published weights of CP-Mobile, as for `autrainer-ext import-cp-mobile`.
"""

import sys
import time

import audiofile
import numpy as np
import torch
import torchaudio
from scipy.stats import spearmanr

from autrainer_ext.explanation.attributors import lime
from autrainer_ext.explanation.attributors.adapters import lime_image
from autrainer_ext.explanation.segments import quickshift
from autrainer_ext.models.fusion import fuse_batch_norms
from autrainer_ext.serving.published import load_cp_mobile
from autrainer_ext.transforms import LogMelSpectrogram

# as in the mask-and-reconstruct study, on the scale of CP-Mobile
FRONT_END = {"sample_rate": 32000, "n_fft": 1024, "win_length": 1024, "hop_length": 320}
SCALE = {"n_mels": 64, "f_min": 50, "f_max": 14000, "log": "ln", "floor": 1e-5}
SIZES = (64, 96, 128, 192, 256)
REFERENCE = 20_000
ROUNDS = 3


def read_features(path: str) -> torch.Tensor:
    samples, rate = audiofile.read(path, always_2d=True)
    mono = torch.from_numpy(np.ascontiguousarray(samples)).mean(dim=0, keepdim=True)
    mono = torchaudio.functional.resample(mono, rate, 32000)[:, : 5 * 32000]
    return LogMelSpectrogram(**FRONT_END, **SCALE, offset=4.5, divisor=5.0)(mono)[None]


def weights_of(maps: torch.Tensor, segments: torch.Tensor) -> np.ndarray:
    first = [int((segments.flatten() == k).nonzero()[0, 0]) for k in range(segments.max() + 1)]
    return maps.flatten()[first].numpy()


def main(state: str, *clips: str) -> None:
    model, baseline = load_cp_mobile(state), (np.log(1e-5) + 4.5) / 5
    fused = fuse_batch_norms(model).to(memory_format=torch.channels_last)
    methods = {"lime 0.2.0.1, 1000": lambda x, y, s: lime_image(model, x, y, **s)} | {
        f"ours, {size}": lambda x, y, s, size=size: lime(fused, x, y, n_samples=size, **s)
        for size in SIZES
    }
    print(f"{torch.get_num_threads()} threads, best of {ROUNDS} rounds")
    for clip in clips:
        features = read_features(clip)
        segments = quickshift(features[0])
        # segments are found once for all, and in nobody's time
        settings = {"baseline": float(baseline), "segmenter": lambda x, found=segments: found}
        with torch.no_grad():
            target = model(features).argmax(dim=1)
        maps, times = {}, {name: [] for name in methods}
        for _ in range(ROUNDS):
            for name, method in methods.items():
                start = time.perf_counter(), time.process_time()
                maps[name] = method(features, target, settings)
                end = time.perf_counter(), time.process_time()
                times[name].append(np.subtract(end, start))
        truth = lime_image(fused, features, target, n_samples=REFERENCE, seed=99, **settings)
        print(f"{clip}: {tuple(features.shape[2:])}, {int(segments.max()) + 1} segments")
        host, _ = best = np.min(times["lime 0.2.0.1, 1000"], axis=0)
        for name in methods:
            wall, processor = np.min(times[name], axis=0)
            pair = weights_of(maps[name], segments), weights_of(truth, segments)
            print(
                f"{name:20s} {wall:6.2f} s, 1/{host / wall:4.1f} of lime; processor "
                f"{processor:6.2f} s, 1/{best[1] / processor:4.1f}; "
                f"Spearman {spearmanr(*pair).statistic:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
