"""Plugin `Fidelity`: how faithful explanations of trained models are on the test split."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

import autrainer_ext
from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.attributors.registry import make_explainer, with_floors
from autrainer_ext.explanation.evaluation import ExplanationSettings, explain_clip
from autrainer_ext.explanation.masks import MASKS
from autrainer_ext.explanation.summary import summarise
from autrainer_ext.models.fusion import fuse_batch_norms
from autrainer_ext.runs import Run, read_class_names, read_metadata
from autrainer_ext.serving.front_end import find_front_end, read_transforms, stated_rate
from autrainer_ext.serving.silence import silent_value
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import save_figure, write_table

from .clips import COLUMNS
from .panels import draw_panel


class Fidelity(AbstractPlugin):
    """Explains the test samples of every run and scores the explanations.

    Writes `scores.csv`, `summary.csv` and panels of the first samples. Scores of single samples
    are kept in `parts-*` until all are there: what was interrupted is continued.

    Args:
        explainers: Names of explainers; random ones are added as floor.
        masks: Names of masks, or None for all 14.
        max_samples: Test samples per run, drawn with `seed`, or None for all.
        panels: Samples per run that are drawn.
        silence: Value of silent features, or None for what the front end makes of silence.
        batch_size: Inputs the network gets at a time.
        seed: Seed of samples and explainers.

    Raises:
        ValueError: If an explainer or mask does not exist, or a number is out of its range.
    """

    folder = "fidelity"

    def __init__(
        self,
        explainers: Sequence[str],
        masks: Sequence[str] | None = None,
        max_samples: int | None = 200,
        panels: int = 3,
        silence: float | None = None,
        batch_size: int = 16,
        seed: int = 0,
    ) -> None:
        for name in explainers:
            make_explainer(name, baseline=0.0)
        unknown = [name for name in masks or [] if name not in MASKS]
        if unknown:
            raise unknown_name("mask", unknown[0], MASKS)
        if max_samples is not None and max_samples < 1:
            raise ValueError(f"max_samples must be positive, got {max_samples}.")
        if batch_size < 1:
            raise ValueError(f"batch_size must be positive, got {batch_size}.")
        self.explainers = list(explainers)
        self.masks = list(masks or MASKS)
        self.max_samples = max_samples
        self.panels = panels
        self.silence = silence
        self.batch_size = batch_size
        self.seed = seed

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Explain test samples and write tables and panels."""
        transforms = {run.name: read_transforms(run.path) for run in runs}
        silences = {run.name: self._silence(run, transforms[run.name]) for run in runs}
        parts = folder / f"parts-{self._fingerprint(runs)}"
        tables = [
            self._explain(run, silences[run.name], transforms[run.name], parts / run.name, folder)
            for run in runs
        ]
        scores = pd.concat(tables, ignore_index=True)
        write_table(scores, folder / "scores.csv")
        write_table(summarise(scores), folder / "summary.csv")
        shutil.rmtree(parts)

    def _silence(self, run: Run, transforms: list) -> float:
        if self.silence is not None:
            return self.silence
        try:
            return silent_value(transforms, stated_rate(transforms) or 16000)
        except ValueError as error:
            raise ValueError(
                f"'{run.name}' saved no whole front end; set silence to the value of silent "
                f"features. {error}"
            ) from error

    def _fingerprint(self, runs: Sequence[Run]) -> str:
        """Of everything the scores depend on but the data."""
        digest = hashlib.sha256(json.dumps([vars(self), autrainer_ext.__version__]).encode())
        for run in runs:
            digest.update((run.path / "_best" / "model.pt").read_bytes())
        return digest.hexdigest()[:12]

    def _explain(
        self, run: Run, silence: float, transforms: list, parts: Path, folder: Path
    ) -> pd.DataFrame:
        from autrainer_ext.runs.load import load_run

        metadata, classes = read_metadata(run, "test"), read_class_names(run.path)
        names = metadata[run.config["dataset"]["index_column"]].astype(str).tolist()
        loaded = load_run(run)
        model = fuse_batch_norms(loaded.model).to(memory_format=torch.channels_last)
        protocol = ExplanationSettings(
            explainers={
                name: make_explainer(name, baseline=silence, seed=self.seed)
                for name in with_floors(self.explainers)
            },
            masks=self.masks,
            baseline=silence,
            batch_size=self.batch_size,
        )
        front_end = find_front_end(transforms)
        chosen = self._choose(len(names))
        dataset, files = loaded.data.test_dataset, []
        for count, index in enumerate(tqdm(chosen, desc=run.name, unit="sample")):
            files.append(parts / f"{index}.csv")
            if files[-1].is_file():
                continue
            features, target = dataset[int(index)][:2]
            features = _as_batch(features)
            explained = explain_clip(model, features, protocol)
            if count < self.panels:
                for name in self.explainers:
                    panel = draw_panel(
                        features, explained, name, self.masks[0], protocol, front_end
                    )
                    save_figure(panel, folder / f"{run.name}_{index}_{name}")
            rows = pd.DataFrame(explained.rows).assign(
                run=run.name,
                filename=names[index],
                target=classes[int(target)],
                prediction=classes[explained.prediction],
                confidence=explained.confidence,
                correct=int(target) == explained.prediction,
                noise="none",
            )
            write_table(rows[COLUMNS], files[-1])
        return pd.concat(map(_read, files), ignore_index=True)

    def _choose(self, n_samples: int) -> np.ndarray:
        """Samples that are explained, ascending."""
        if self.max_samples is None or self.max_samples >= n_samples:
            return np.arange(n_samples)
        generator = np.random.default_rng(self.seed)
        return np.sort(generator.choice(n_samples, self.max_samples, replace=False))


def _as_batch(features: torch.Tensor | np.ndarray) -> torch.Tensor:
    features = torch.as_tensor(features, dtype=torch.float32)
    if features.ndim != 3:
        raise ValueError(
            "Explanations need features of the shape (channels, frames, mel_bins), got "
            f"{tuple(features.shape)}."
        )
    return features[None]


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"target": str, "prediction": str, "filename": str})
