"""Plugin `Fidelity`: fidelity of explanations of trained models on the test split."""

import hashlib
import json
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

import autrainer_ext
from autrainer_ext.atomic import atomic_file, atomic_folder, remove
from autrainer_ext.compat import unpack
from autrainer_ext.explanation.evaluation import ClipSettings
from autrainer_ext.explanation.reconstruction import Reconstructor
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.explanation.summary import summarise, summarise_sanity
from autrainer_ext.runs import Run, read_class_names, read_columns, read_metadata
from autrainer_ext.serving.clip_reader import ClipReader
from autrainer_ext.serving.forward import ForwardPass
from autrainer_ext.serving.front_end import find_front_end, read_transforms, stated_rate
from autrainer_ext.serving.silence import silent_value
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.run_columns import with_run_columns
from autrainer_ext_plugins.writing import write_table

from .clips import Clip, ClipExplainer
from .recordings import mix, read_noises, tested_reconstructor
from .sizes import write_sizes
from .tables import CLEAN, describe_few_segments, read_table

if TYPE_CHECKING:
    from torch.utils.data import Dataset


class Fidelity(AbstractPlugin):
    """Explains the test samples of every run and scores the explanations.

    Writes `scores.csv`, `summary.csv`, tables and a figure of fidelity against size (`sizes`) and,
    in `clips/RUN/NOISE/INDEX/`, panels of the first samples and audio of the parts. The number
    of forward passes and the time are printed after the first sample of each run. Results of single
    samples are kept in `parts-*` until all are explained, so an interrupted call can be continued.
    The defaults are in `conf/plugin/Fidelity.yaml`.

    Args:
        explainers: Names of explainers.
        masks: Names of masks, or None for all 14.
        listen: Names of masks whose kept and removed parts are written as audio; needs recordings.
        noises: Noises that recordings are mixed with besides the clean samples: paths, or "white".
        alpha: Share of the recording in the mixture, in (0, 1].
        audio: Folder of the recordings, or None for `default/` in the folder of the data set. Only
            read for `listen` and `noises`.
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
        listen: Sequence[str],
        noises: Sequence[str],
        alpha: float,
        audio: str | None,
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
            listen=tuple(listen),
            noises=tuple(noises),
            alpha=alpha,
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
        self.audio = audio
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
            _Job(run, baselines[run.name], transforms[run.name], parts / run.name) for run in runs
        ]
        n_samples = self._plan(jobs, parts / "n_samples.txt")
        chosen = [self._order(len(_names(run)))[:n_samples].tolist() for run in runs]
        self._explain(jobs, chosen)
        tables = [self._read(job, indices) for job, indices in zip(jobs, chosen, strict=True)]
        scores, sizes, *others = map(pd.concat, zip(*tables, strict=True))
        write_table(with_run_columns(scores, runs), folder / "scores.csv")
        write_table(with_run_columns(summarise(scores), runs), folder / "summary.csv")
        with self.style.applied():
            write_sizes(sizes, folder, columns=lambda table: with_run_columns(table, runs))
        for name, table in zip(self._tables[2:], others, strict=True):
            table = summarise_sanity(table) if name == "sanity" else table
            write_table(with_run_columns(table, runs), folder / f"{name}.csv")
        for line in describe_few_segments(scores):
            print(f"Warning: {line}", file=sys.stderr)
        for job in jobs:
            _keep_clips(job, folder)
        shutil.rmtree(parts)

    @property
    def _tables(self) -> list[str]:
        """Tables of every sample."""
        optional = {"sanity": self.settings.sanity, "audio": bool(self.settings.listen)}
        return ["scores", "size", *(name for name, is_made in optional.items() if is_made)]

    def _plan(self, jobs: "Sequence[_Job]", path: Path) -> int:
        """Number of samples per run; explains the first one of each run to state the cost."""
        if path.is_file():
            return int(path.read_text())
        n_passes, seconds, n_largest = 0, 0.0, 0
        for job in tqdm(jobs, desc="First samples", unit="run", leave=False):
            loaded = self._load(job)
            order = self._order(len(loaded.names))
            n_largest = max(n_largest, len(order))
            counter = _GradientPassCounter()
            forward = loaded.explainer.forward
            hook = forward.network.register_forward_hook(counter)
            start = time.perf_counter()
            self._explain_sample(job, loaded, int(order[0]), is_drawn=self.panels > 0)
            seconds += time.perf_counter() - start
            n_passes += counter.n_passes + forward.n_inputs
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
        settings = [scored, self.max_samples, self.minutes, self.panels, asdict(self.style)]
        digest = hashlib.sha256(json.dumps([settings, autrainer_ext.__version__]).encode())
        for run in runs:
            digest.update((run.path / "_best" / "model.pt").read_bytes())
        return digest.hexdigest()[:12]

    def _explain(self, jobs: "Sequence[_Job]", chosen: Sequence[list[int]]) -> None:
        """Explain the chosen samples of each run; finished samples are not explained again."""
        load = lru_cache(maxsize=1)(lambda number: self._load(jobs[number]))

        def explain(item: tuple[int, int, bool]) -> None:
            number, index, is_drawn = item
            if not jobs[number].part(index, "scores").is_file():
                self._explain_sample(jobs[number], load(number), index, is_drawn=is_drawn)

        items = [
            (number, index, count < self.panels)
            for number, indices in enumerate(chosen)
            for count, index in enumerate(indices)
        ]
        done = self.shards.map(explain, items, name="Fidelity")
        bar = tqdm(done, "Fidelity", len(items), unit="sample", disable=self.shards.has_bar)
        deque(bar, maxlen=0)

    def _read(self, job: "_Job", indices: Sequence[int]) -> list[pd.DataFrame]:
        """Tables of the samples of a run."""
        order = sorted(indices)
        return [pd.concat([read_table(job.part(i, name)) for i in order]) for name in self._tables]

    def _explain_sample(
        self, job: "_Job", loaded: "_Loaded", index: int, *, is_drawn: bool
    ) -> None:
        """Write the results of a sample: a folder per noise, and the tables of all noises."""
        remove(job.parts / str(index))  # explained by a call that ended before it stated the cost
        with atomic_folder(job.parts / str(index)) as sample:
            for clip in self._clips(job, loaded, index):
                (sample / clip.noise).mkdir()
                with self.style.applied():
                    loaded.explainer.explain(clip, sample / clip.noise, is_drawn=is_drawn)
            for name in self._tables:
                tables = [read_table(path) for path in sorted(sample.glob(f"*/{name}.csv"))]
                write_table(pd.concat(tables), sample / f"{name}.csv")

    def _clips(self, job: "_Job", loaded: "_Loaded", index: int) -> Iterator[Clip]:
        """The test sample and its mixtures with noise."""
        item, label, _ = unpack(loaded.samples[index])
        filename, target = loaded.names[index], loaded.explainer.class_names[int(label)]
        features = torch.as_tensor(item, dtype=torch.float32)
        _check_input(job.run, features)
        if loaded.recordings is None:
            yield Clip(filename, CLEAN, target, None, features[None])
            return
        recordings = loaded.recordings
        samples = recordings.reader.recording(recordings.folder / filename)
        for name, noise in recordings.noises.items():
            mixture = mix(samples, noise, self.settings.alpha)
            mixed = features[None] if noise is None else recordings.reader.features(mixture)
            yield Clip(filename, name, target, mixture, mixed)

    def _load(self, job: "_Job") -> "_Loaded":
        from autrainer_ext.runs.load import load_run

        loaded, settings = load_run(job.run), self.settings
        recordings = None
        if settings.listen or settings.noises:
            recordings = _open_recordings(job.run, self.audio, settings)
        explainer = ClipExplainer(
            forward=ForwardPass(
                loaded.model, device=settings.device, batch_size=settings.batch_size
            ),
            run=job.run.name,
            class_names=read_class_names(job.run.path),
            settings=settings,
            clip_settings=ClipSettings.resolve(settings, job.baseline),
            rate=None if recordings is None else recordings.reader.rate,
            reconstructor=None if recordings is None else recordings.reconstructor,
            front_end=find_front_end(job.transforms),
        )
        return _Loaded(explainer, loaded.data.test_dataset, _names(job.run), recordings)

    def _order(self, n_samples: int) -> np.ndarray:
        """Samples in the random order in which they are explained."""
        return np.random.default_rng(self.settings.seed).permutation(n_samples)


@dataclass(frozen=True)
class _Job:
    """Run to explain, the value of silent features, its transforms and the folder of its parts."""

    run: Run
    baseline: float
    transforms: list
    parts: Path

    def part(self, index: int, name: str) -> Path:
        """Table of one sample: "scores", "size", "sanity" or "audio"."""
        return self.parts / str(index) / f"{name}.csv"


@dataclass(frozen=True)
class _Recordings:
    """Recordings of a run: reader, folder, noises and, if they are listened to, the way back."""

    reader: ClipReader
    folder: Path
    noises: dict[str, torch.Tensor | None]
    reconstructor: Reconstructor | None


@dataclass(frozen=True)
class _Loaded:
    """Explainer of a run, its test samples, their names and, if needed, their recordings."""

    explainer: ClipExplainer
    samples: "Dataset"
    names: list[str]
    recordings: _Recordings | None


class _GradientPassCounter:
    """Forward hook that counts the inputs of a network of which gradients are computed."""

    def __init__(self) -> None:
        self.n_passes = 0

    def __call__(self, _model: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        self.n_passes += len(output) if torch.is_grad_enabled() else 0


def _open_recordings(run: Run, audio: str | None, settings: ExplainSettings) -> _Recordings:
    folder = Path(run.config["dataset"]["path"], "default") if audio is None else Path(audio)
    if not folder.is_dir():
        raise ValueError(
            f"Folder '{folder}' with the recordings of '{run.name}' does not exist: set audio, or "
            "leave noises and listen empty."
        )
    reader = ClipReader(model_path=str(run.path))
    noises = read_noises(settings.noises, reader.rate, settings.seed)
    reconstructor = tested_reconstructor(reader) if settings.listen else None
    return _Recordings(reader, folder, noises, reconstructor)


def _keep_clips(job: _Job, folder: Path) -> None:
    """Move panels and audio of the samples of a run to `clips/RUN/NOISE/INDEX/`."""
    for path in sorted(job.parts.glob("*/*/*")):
        if path.suffix != ".csv":
            kept = folder / "clips" / job.run.name / path.parts[-2] / path.parts[-3] / path.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            path.replace(kept)


def _names(run: Run) -> list[str]:
    """Names of the test samples of a run."""
    return [str(name) for name in read_metadata(run, "test")[read_columns(run).index]]


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
