"""Which explainers find evidence whose place is known.

Clips of noise hold one patch of sound; the class is the band it is in, its time is random. A small
CP-Mobile learns the ten classes. For every clip it gets right, and every explainer: the share of
the positive attribution inside the patch, and the share of the patch among as many top bins as it
has, both beside chance, with 95 % bootstrap intervals of their means.

    python benchmarks/planted_evidence.py [CLIPS] [STEPS]
"""

import sys

import torch
from torch import nn

from autrainer_ext.explanation.attributors import grad_cam
from autrainer_ext.explanation.attributors.registry import make_explainer
from autrainer_ext.intervals import mean_interval
from autrainer_ext.models import CPMobile
from autrainer_ext.models.fusion import fuse_batch_norms

FRAMES, BINS, LENGTH, WIDTH, CLASSES = 96, 64, 12, 6, 10
SILENCE = -3.0
EXPLAINERS = [
    *["saliency", "input_x_gradient", "smooth_grad", "integrated_gradients", "gradient_shap"],
    *["grad_cam", "lime", "lime-grid", "kernel_shap", "occlusion", "deep_shap"],
    *["random", "random-grid", "permuted-integrated_gradients"],
]


def draw(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features, classes and where the patches are."""
    features = 0.5 * torch.randn(n, 1, FRAMES, BINS, generator=generator)
    target = torch.randint(CLASSES, (n,), generator=generator)
    start = torch.randint(FRAMES - LENGTH, (n,), generator=generator)
    inside = torch.zeros_like(features, dtype=torch.bool)
    for i in range(n):
        low = int(target[i]) * WIDTH + 2
        inside[i, 0, start[i] : start[i] + LENGTH, low : low + WIDTH] = True
    return features + 1.5 * inside, target, inside


def train(steps: int) -> nn.Module:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = CPMobile(CLASSES, base_channels=16, channels_multiplier=1.5, expansion_rate=2.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(steps):
        features, target, _ = draw(64, generator)
        loss = nn.functional.cross_entropy(model(features), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return fuse_batch_norms(model)


def main(n_clips: int = 50, steps: int = 150) -> None:
    model = train(steps)
    features, target, inside = draw(4 * n_clips, torch.Generator().manual_seed(1))
    with torch.no_grad():
        right = model(features).argmax(1) == target
    print(f"accuracy {float(right.double().mean()):.3f} on {len(right)} clips, {steps} steps")
    features, target, inside = (part[right][:n_clips] for part in (features, target, inside))
    chance = LENGTH * WIDTH / (FRAMES * BINS)
    print(f"{len(features)} clips explained; chance {100 * chance:.1f} %")
    methods = {name: make_explainer(name, baseline=SILENCE) for name in EXPLAINERS}
    for layer in ("stages.0", "stages.1", "stages.2"):
        methods[f"grad_cam of {layer}"] = lambda m, x, y, at=layer: grad_cam(m, x, y, layer=at)
    for name, explain in methods.items():
        maps = explain(model, features, target).flatten(1)
        mass = maps.clamp(min=0)
        within = inside.flatten(1)
        shares = (mass * within).sum(1) / mass.sum(1).clamp(min=1e-12)
        top = maps.argsort(dim=1, descending=True, stable=True)[:, : LENGTH * WIDTH]
        found = within.gather(1, top).double().mean(1)
        cells = []
        for values in (shares.double().numpy(), found.numpy()):
            low, high = mean_interval(values)
            cells.append(f"{100 * values.mean():5.1f} ({100 * low:.1f} to {100 * high:.1f})")
        print(
            f"{name:32s} attribution inside {cells[0]:24s} top bins inside {cells[1]}", flush=True
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
