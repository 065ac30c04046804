"""Plugin `Fidelity`: fidelity of explanations of trained models on the test split."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

import autrainer_ext
from autrainer_ext.explanation.evaluation import ClipSettings, Explained, explain_clip
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.explanation.summary import summarise
from autrainer_ext.runs import Run, read_class_names, read_metadata
from autrainer_ext.serving.forward import ForwardPass
from autrainer_ext.serving.front_end import find_front_end, read_transforms, stated_rate
from autrainer_ext.serving.silence import silent_value
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import save_figure, write_table

from .panels import draw_panel
from .tables import read_table, score_table


class Fidelity(AbstractPlugin):
    """Explains the test samples of every run and scores the explanations.

    Writes `scores.csv`, `summary.csv` and panels of the first samples. Scores of single samples
    are kept in `parts-*` until all samples are explained, so an interrupted call can be continued.
    The defaults are in `conf/plugin/Fidelity.yaml`.

    Args:
        explainers: Names of explainers. Each is scored next to the random explainer it is compared
            with.
        masks: Names of masks, or None for all 14.
        max_samples: Number of test samples per run, drawn with `seed`, or None for all.
        panels: Number of samples per run that are drawn.
        baseline: Value of silent features, or None to compute it from the front end.
        batch_size: Most inputs per forward pass, or None for as many as fit.
        device: Device of the networks; see `autrainer_ext.serving.forward.choose_device`.
        seed: Seed of the choice of samples and of the explainers.

    Raises:
        ValueError: If an explainer or mask does not exist, or a number is out of range.
    """

    folder = "fidelity"
    renamed: ClassVar[dict[str, str]] = {"silence": "baseline"}

    def __init__(
        self,
        *,
        explainers: Sequence[str],
        masks: Sequence[str] | None,
        max_samples: int | None,
        panels: int,
        baseline: float | None,
        batch_size: int | None,
        device: str,
        seed: int,
    ) -> None:
        if max_samples is not None and max_samples < 1:
            raise ValueError(f"max_samples must be positive, got {max_samples}.")
        self.settings = ExplainSettings(
            explainers=tuple(explainers),
            masks=None if masks is None else tuple(masks),
            listen=(),
            baseline=baseline,
            batch_size=batch_size,
            device=device,
            seed=seed,
        )
        self.max_samples = max_samples
        self.panels = panels

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Explain test samples and write tables and panels."""
        transforms = {run.name: read_transforms(run.path) for run in runs}
        baselines = {run.name: self._baseline(run, transforms[run.name]) for run in runs}
        parts = folder / f"parts-{self._fingerprint(runs)}"
        tables = [
            self._explain(run, baselines[run.name], transforms[run.name], parts / run.name, folder)
            for run in runs
        ]
        scores = pd.concat(tables, ignore_index=True)
        write_table(scores, folder / "scores.csv")
        write_table(summarise(scores), folder / "summary.csv")
        shutil.rmtree(parts)

    def _baseline(self, run: Run, transforms: list) -> float:
        if self.settings.baseline is not None:
            return self.settings.baseline
        try:
            return silent_value(transforms, stated_rate(transforms) or 16000)
        except ValueError as error:
            raise ValueError(
                f"'{run.name}' saved no complete front end; set baseline to the value of silent "
                f"features. {error}"
            ) from error

    def _fingerprint(self, runs: Sequence[Run]) -> str:
        """Hash of all inputs to the scores and panels except the data.

        Device and batch size change them by rounding only.
        """
        scored = asdict(self.settings) | {"device": None, "batch_size": None}
        settings = [scored, self.max_samples, self.panels]
        digest = hashlib.sha256(json.dumps([settings, autrainer_ext.__version__]).encode())
        for run in runs:
            digest.update((run.path / "_best" / "model.pt").read_bytes())
        return digest.hexdigest()[:12]

    def _explain(
        self, run: Run, baseline: float, transforms: list, parts: Path, folder: Path
    ) -> pd.DataFrame:
        from autrainer_ext.runs.load import load_run

        metadata, classes = read_metadata(run, "test"), read_class_names(run.path)
        names = metadata[run.config["dataset"]["index_column"]].astype(str).tolist()
        loaded = load_run(run)
        device, batch_size = self.settings.device, self.settings.batch_size
        forward = ForwardPass(loaded.model, device=device, batch_size=batch_size)
        settings = ClipSettings.resolve(self.settings, baseline)
        chosen = self._choose(len(names))
        dataset, files = loaded.data.test_dataset, []
        for count, index in enumerate(tqdm(chosen, desc=run.name, unit="sample")):
            files.append(parts / f"{index}.csv")
            if files[-1].is_file():
                continue
            features, target = dataset[int(index)][:2]
            features = _as_batch(features)
            explained = explain_clip(forward, features, settings)
            if count < self.panels:
                self._draw(features, explained, baseline, transforms, folder, f"{run.name}_{index}")
            scores = score_table(
                explained,
                run=run.name,
                filename=names[index],
                target=classes[int(target)],
                prediction=classes[explained.prediction],
            )
            write_table(scores, files[-1])
        return pd.concat(map(read_table, files), ignore_index=True)

    def _draw(
        self,
        features: torch.Tensor,
        explained: Explained,
        baseline: float,
        transforms: list,
        folder: Path,
        stem: str,
    ) -> None:
        """Draw a panel per explainer."""
        for name in self.settings.explainers:
            panel = draw_panel(
                features,
                explained,
                explainer=name,
                mask=self.settings.panel_mask,
                baseline=baseline,
                front_end=find_front_end(transforms),
            )
            save_figure(panel, folder / f"{stem}_{name}")

    def _choose(self, n_samples: int) -> np.ndarray:
        """Indices of the samples to explain, ascending."""
        if self.max_samples is None or self.max_samples >= n_samples:
            return np.arange(n_samples)
        generator = np.random.default_rng(self.settings.seed)
        return np.sort(generator.choice(n_samples, self.max_samples, replace=False))


def _as_batch(features: torch.Tensor | np.ndarray) -> torch.Tensor:
    features = torch.as_tensor(features, dtype=torch.float32)
    if features.ndim != 3:
        raise ValueError(
            "Explanations need features of the shape (channels, frames, mel_bins), got "
            f"{tuple(features.shape)}."
        )
    return features[None]
