"""Error of KernelSHAP and LIME by sampling: agreement of two seeds, wrong signs, true errors.

For every recording, the values from two seeds with the default settings are compared with each
other and with those from 8192 coalitions. A sign is wrong if the reference has the other one; only
cells that the standard error calls significant count.

    python benchmarks/sampling_error.py MODEL RECORDING [RECORDING ...]

MODEL: run or model directory.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from autrainer_ext.explanation.attributors.estimate import Estimate
from autrainer_ext.explanation.attributors.registry import make_explainer
from autrainer_ext.serving.clip_reader import ClipReader
from autrainer_ext.serving.forward import ForwardPass
from autrainer_ext.serving.silence import silent_value


def sounding(found: Estimate, other: Estimate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of two estimates and errors of the first, one per sounding segment."""
    parts = [found.attributions, other.attributions, found.errors]
    rows = torch.stack([part.flatten() for part in parts])
    return tuple(rows[:, rows[1] != 0].unique(dim=1).numpy())


def main(model: str, *files: str) -> None:
    reader = ClipReader(model_path=model, checkpoint="_best", preprocess_cfg="default")
    baseline = silent_value(reader.transforms, reader.rate)
    forward = ForwardPass(reader.model, device="cpu")
    for name in ("kernel_shap", "lime"):
        rows = []
        for file in files:
            features = reader.features(reader.recording(Path(file)))
            target = forward(features).argmax(dim=1)

            def explain(
                seed: int, features: torch.Tensor = features, target: torch.Tensor = target, **most
            ) -> Estimate:
                explainer = make_explainer(name, baseline=baseline, seed=seed, **most)  # noqa: B023
                return explainer.estimate(forward, features, target)

            one, two = explain(0), explain(1)
            reference = explain(99, n_samples=8192, target_error=1e-9)
            values, others, _ = sounding(one, two)
            found, true, errors = sounding(one, reference)
            is_clear = np.abs(found) > 1.96 * errors
            rows.append(
                [
                    spearmanr(values, others).statistic,
                    spearmanr(found, true).statistic,
                    is_clear.sum(),
                    (is_clear & (np.sign(found) != np.sign(true))).sum(),
                    one.n_segments,
                    one.n_samples,
                    np.sqrt(np.mean((found - true) ** 2) / max(np.mean(errors**2), 1e-30)),
                ]
            )
        table = np.array(rows, dtype=float)
        segments, samples = table[:, 4].mean(), table[:, 5].mean()
        print(f"{name}: {len(files)} clips, {segments:.1f} segments, {samples:.0f} samples")
        for label, column in (("two seeds agree", 0), ("agree with 8192", 1)):
            agreement = table[:, column]
            low, middle, high = np.quantile(agreement, [0, 0.5, 1])
            print(
                f"  {label}: mean {agreement.mean():.3f}, median {middle:.3f}, "
                f"{low:.3f} to {high:.3f}"
            )
        share = 100 * table[:, 3].sum() / max(table[:, 2].sum(), 1)
        print(
            f"  significant: {100 * table[:, 2].sum() / table[:, 4].sum():.0f} % of the cells, "
            f"{share:.1f} % of these with a wrong sign"
        )
        print(f"  true error over standard error: median {np.median(table[:, 6]):.2f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
