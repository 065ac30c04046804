"""Plugin `Fidelity`: fidelity of explanations of trained models on the test split."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

import autrainer_ext
from autrainer_ext.atomic import atomic_file
from autrainer_ext.compat import unpack
from autrainer_ext.explanation.evaluation import ClipSettings, Explained, explain_clip
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.explanation.summary import summarise, summarise_sanity
from autrainer_ext.runs import Run, read_class_names, read_columns, read_metadata
from autrainer_ext.serving.forward import ForwardPass
from autrainer_ext.serving.front_end import find_front_end, read_transforms, stated_rate
from autrainer_ext.serving.silence import silent_value
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.run_columns import with_run_columns
from autrainer_ext_plugins.writing import save_figure, write_table

from .panels import draw_panel
from .sanity import sanity_table
from .sizes import write_sizes
from .tables import CLEAN, describe_few_segments, read_table, score_table, size_table

if TYPE_CHECKING:
    from torch.utils.data import Dataset


class Fidelity(AbstractPlugin):
    """Explains the test samples of every run and scores the explanations.

    Writes `scores.csv`, `summary.csv`, tables and a figure of fidelity against size (`sizes`) and
    panels of the first samples. The number of forward passes
    and the time are printed after the first sample of each run. Scores of single samples
    are kept in `parts-*` until all samples are explained, so an interrupted call can be continued.
    The defaults are in `conf/plugin/Fidelity.yaml`.

    Args:
        explainers: Names of explainers.
        masks: Names of masks, or None for all 14.
        max_samples: Number of test samples per run, drawn with `seed`, or None for as many as take
            about `minutes`.
        minutes: Time for all runs if `max_samples` is None, estimated from the first sample of each
            run; None for all samples.
        panels: Number of samples per run that are drawn.
        baseline: Value of silent features, or None to compute it from the front end. For networks
            of images without a front end for audio, None is 0: black, or the mean colour where
            images are normalised.
        layer: Layer for `grad_cam`, or None for the deepest that localises.
        samples: Most masked copies per sample for `lime` and `kernel_shap`.
        target_error: Standard error of their values, in standard deviations of the values, below
            which fewer copies are enough.
        significant: Whether masks ignore values within 1.96 standard errors of zero.
        sanity: Whether attributions are compared with those of networks with randomised layers.
        source_compatible: See `ExplainSettings`.
        batch_size: Most inputs per forward pass, or None for as many as fit.
        device: Device of the networks; see `autrainer_ext.serving.forward.choose_device`.
        seed: Seed of the choice of samples and of the explainers.

    Raises:
        ValueError: If an explainer or mask does not exist, or a number is out of range.
    """

    folder: ClassVar[str] = "fidelity"
    tasks: ClassVar[tuple[str, ...] | None] = ("classification",)
    renamed: ClassVar[dict[str, str]] = {"silence": "baseline"}

    def __init__(
        self,
        *,
        explainers: Sequence[str],
        masks: Sequence[str] | None,
        max_samples: int | None,
        minutes: float | None,
        panels: int,
        baseline: float | None,
        layer: str | None,
        samples: int,
        target_error: float,
        significant: bool,
        sanity: bool,
        source_compatible: bool,
        batch_size: int | None,
        device: str,
        seed: int,
    ) -> None:
        if max_samples is not None and max_samples < 1:
            raise ValueError(f"Argument 'max_samples' must be at least 1, got {max_samples}.")
        if minutes is not None and minutes <= 0:
            raise ValueError(f"Argument 'minutes' must be positive, got {minutes}.")
        self.settings = ExplainSettings(
            explainers=tuple(explainers),
            masks=None if masks is None else tuple(masks),
            listen=(),
            baseline=baseline,
            layer=layer,
            samples=samples,
            target_error=target_error,
            significant=significant,
            sanity=sanity,
            source_compatible=source_compatible,
            batch_size=batch_size,
            device=device,
            seed=seed,
        )
        self.max_samples = max_samples
        self.minutes = minutes
        self.panels = panels

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Explain test samples and write tables and panels.

        Raises:
            ValueError: If a run cannot be loaded, has no baseline, or its features are neither
                spectrograms nor images.
        """
        transforms = {run.name: read_transforms(run.path) for run in runs}
        baselines = {run.name: self._baseline(run, transforms[run.name]) for run in runs}
        parts = folder / f"parts-{self._fingerprint(runs)}"
        jobs = [
            _Job(run, baselines[run.name], transforms[run.name], parts / run.name, folder)
            for run in runs
        ]
        n_samples = self._plan(jobs, parts / "n_samples.txt")
        with tqdm(total=len(runs) * n_samples, desc="Fidelity", unit="sample") as bar:
            tables = [self._explain(job, n_samples, bar) for job in jobs]
        scores, sizes, *sanity = map(pd.concat, zip(*tables, strict=True))
        write_table(with_run_columns(scores, runs), folder / "scores.csv")
        write_table(with_run_columns(summarise(scores), runs), folder / "summary.csv")
        write_sizes(sizes, folder, columns=lambda table: with_run_columns(table, runs))
        for correlations in sanity:
            summary = summarise_sanity(correlations)
            write_table(with_run_columns(summary, runs), folder / "sanity.csv")
        for line in describe_few_segments(scores):
            print(f"Warning: {line}", file=sys.stderr)
        shutil.rmtree(parts)

    def _plan(self, jobs: "Sequence[_Job]", path: Path) -> int:
        """Number of samples per run; explains the first one of each run to state the cost."""
        if path.is_file():
            return int(path.read_text())
        n_passes, seconds, n_largest = 0, 0.0, 0
        for job in tqdm(jobs, desc="First samples", unit="run", leave=False):
            loaded = _load(job, self.settings)
            order = self._order(len(loaded.names))
            n_largest = max(n_largest, len(order))
            counter = _GradientPassCounter()
            hook = loaded.forward.network.register_forward_hook(counter)
            start = time.perf_counter()
            self._explain_sample(job, loaded, int(order[0]), is_drawn=self.panels > 0)
            seconds += time.perf_counter() - start
            n_passes += counter.n_passes + loaded.forward.n_inputs
            hook.remove()
        n_samples = min(self.max_samples or n_largest, n_largest)
        if self.max_samples is None and self.minutes is not None:
            n_samples = min(n_samples, max(1, round(60 * self.minutes / seconds)))
        print(
            f"Fidelity: {n_samples} of {n_largest} test samples of each of {len(jobs)} runs, "
            f"{n_samples * n_passes:,} forward passes, about {_duration(n_samples * seconds)} (all "
            f"samples: about {_duration(n_largest * seconds)}; -o minutes=M or max_samples=N).",
            file=sys.stderr,
        )
        with atomic_file(path) as part:
            part.write_text(str(n_samples))
        return n_samples

    def _baseline(self, run: Run, transforms: list) -> float:
        if self.settings.baseline is not None:
            return self.settings.baseline
        try:
            return silent_value(transforms, stated_rate(transforms) or 16000)
        except ValueError as error:
            if _input_type(run) == "image" and find_front_end(transforms) is None:
                return 0.0
            if _input_type(run) in ("raw", "tabular"):
                raise ValueError(
                    f"Run '{run.name}' has {_input_type(run)} inputs: explanations need "
                    "spectrograms or images."
                ) from error
            raise ValueError(
                f"'{run.name}' saved no complete front end; set baseline to the value of silent "
                f"features. {error}"
            ) from error

    def _fingerprint(self, runs: Sequence[Run]) -> str:
        """Hash of all inputs to the scores and panels except the data.

        Device and batch size change them by rounding only.
        """
        scored = asdict(self.settings) | {"device": None, "batch_size": None}
        settings = [scored, self.max_samples, self.minutes, self.panels]
        digest = hashlib.sha256(json.dumps([settings, autrainer_ext.__version__]).encode())
        for run in runs:
            digest.update((run.path / "_best" / "model.pt").read_bytes())
        return digest.hexdigest()[:12]

    def _explain(self, job: "_Job", n_samples: int, bar: tqdm) -> list[pd.DataFrame]:
        """Tables of the samples of a run; finished samples are not explained again."""
        loaded = _load(job, self.settings)
        chosen = self._order(len(loaded.names))[:n_samples]
        for count, index in enumerate(chosen.tolist()):
            if not job.part(index, "scores").is_file():
                self._explain_sample(job, loaded, index, is_drawn=count < self.panels)
            bar.update()
        names = ["scores", "size", *(["sanity"] if self.settings.sanity else [])]
        order = np.sort(chosen).tolist()
        return [pd.concat([read_table(job.part(i, name)) for i in order]) for name in names]

    def _explain_sample(
        self, job: "_Job", loaded: "_Loaded", index: int, *, is_drawn: bool
    ) -> None:
        """Write the tables of a sample and, if wanted, its panels; the scores come last."""
        features, target, _ = unpack(loaded.samples[index])
        features = torch.as_tensor(features, dtype=torch.float32)
        _check_input(job.run, features)
        settings = ClipSettings.resolve(self.settings, job.baseline)
        explained = explain_clip(loaded.forward, features[None], settings)
        if is_drawn:
            heading = f"{loaded.names[index]}: {loaded.class_names[explained.prediction]}"
            self._draw(job, features[None], explained, heading, f"{job.run.name}_{index}")
        key = {
            "run": job.run.name,
            "filename": loaded.names[index],
            "target": loaded.class_names[int(target)],
            "prediction": loaded.class_names[explained.prediction],
        }
        if self.settings.sanity:
            correlations = sanity_table(
                loaded.forward, features[None], explained, settings, self.settings.seed
            )
            write_table(
                correlations.assign(run=job.run.name, filename=key["filename"], noise=CLEAN),
                job.part(index, "sanity"),
            )
        write_table(size_table(explained, **key), job.part(index, "size"))
        write_table(score_table(explained, **key), job.part(index, "scores"))

    def _draw(
        self,
        job: "_Job",
        features: torch.Tensor,
        explained: Explained,
        heading: str,
        stem: str,
    ) -> None:
        """Draw a panel per explainer."""
        for name in self.settings.explainers:
            panel = draw_panel(
                features,
                explained,
                explainer=name,
                mask=self.settings.panel_mask,
                baseline=job.baseline,
                heading=heading,
                front_end=find_front_end(job.transforms),
            )
            save_figure(panel, job.folder / f"{stem}_{name}")

    def _order(self, n_samples: int) -> np.ndarray:
        """Samples in the random order in which they are explained."""
        return np.random.default_rng(self.settings.seed).permutation(n_samples)


@dataclass(frozen=True)
class _Job:
    """Run to explain, the value of silent features, its transforms and the output folders."""

    run: Run
    baseline: float
    transforms: list
    parts: Path
    folder: Path

    def part(self, index: int, name: str) -> Path:
        """Table of one sample: "scores", "size" or "sanity"."""
        return self.parts / f"{index}_{name}.csv"


@dataclass(frozen=True)
class _Loaded:
    """Engine of the network, test samples, their names and the names of the classes of a run."""

    forward: ForwardPass
    samples: "Dataset"
    names: list[str]
    class_names: list[str]


class _GradientPassCounter:
    """Forward hook that counts the inputs of a network of which gradients are computed."""

    def __init__(self) -> None:
        self.n_passes = 0

    def __call__(self, _model: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        self.n_passes += len(output) if torch.is_grad_enabled() else 0


def _load(job: _Job, settings: ExplainSettings) -> _Loaded:
    from autrainer_ext.runs.load import load_run

    loaded = load_run(job.run)
    names = [str(name) for name in read_metadata(job.run, "test")[read_columns(job.run).index]]
    classes = read_class_names(job.run.path)
    forward = ForwardPass(loaded.model, device=settings.device, batch_size=settings.batch_size)
    return _Loaded(forward, loaded.data.test_dataset, names, classes)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _input_type(run: Run) -> str:
    """Type of the input of the network in the host: "image", "grayscale", "raw" or "tabular"."""
    transform = run.config.get("model", {}).get("transform") or {}
    return str(transform.get("type", ""))


def _check_input(run: Run, features: torch.Tensor) -> None:
    if features.ndim != 3:
        raise ValueError(
            f"Run '{run.name}' has features of the shape {tuple(features.shape)}: explanations "
            "need spectrograms or images, of the shape (channels, frames, mel_bins)."
        )
