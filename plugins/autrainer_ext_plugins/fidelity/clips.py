"""The work of `explain`: clip by clip, each in a folder that appears whole.

    file -> recording (-> with noise) -> features -> maps, scores, panels, audio of the parts

A clip whose folder exists is done: what was interrupted is continued. Tables of all clips are put
together at the end from those in the folders.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import audiofile
import numpy as np
import pandas as pd
import soundfile
import torch
import torchaudio
import yaml
from tqdm import tqdm

import autrainer_ext
from autrainer_ext.atomic import atomic_file, atomic_folder
from autrainer_ext.corruptions.noise import contaminate, draw_white_noise
from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.attributors.contract import layers
from autrainer_ext.explanation.attributors.registry import make_explainer, with_floors
from autrainer_ext.explanation.evaluation import Explained, ExplanationSettings, explain_clip
from autrainer_ext.explanation.masks import MASKS, apply_mask, make_masks
from autrainer_ext.explanation.reconstruction import Reconstructor
from autrainer_ext.explanation.sanity import cascade
from autrainer_ext.explanation.summary import summarise, summarise_sanity
from autrainer_ext.models.fusion import fuse_batch_norms
from autrainer_ext.runs import read_class_names
from autrainer_ext.serving.audio_files import UnusableFileError, check_file
from autrainer_ext.serving.inference import BatchedInference
from autrainer_ext.serving.silence import silent_value
from autrainer_ext_plugins.writing import save_figure, write_table

from .panels import draw_panel

if TYPE_CHECKING:
    from autrainer_ext_plugins.commands.explain import ExplainArgs

COLUMNS = [
    *["run", "filename", "target", "prediction", "confidence", "correct", "explainer", "mask"],
    *["FF", "AI", "AD", "AG", "FidIn", "SPS", "COMP", "insertion_auc", "deletion_auc"],
    *["completeness_gap", "noise", "explains_nothing"],
]
_CLEAN = "none"


@dataclass(frozen=True)
class Done:
    """How many files were explained, now or earlier, and how many could not be."""

    n_explained: int
    n_failed: int


class ClipReader(BatchedInference):
    """Recordings and features of files, one at a time."""

    def recording(self, path: str) -> torch.Tensor:
        """Samples of a file, shape (channels, samples).

        Raises:
            UnusableFileError: If it cannot be read, or all samples are equal.
        """
        check_file(path)
        samples = self._load(path)
        if bool((samples == samples[..., :1]).all()):
            raise UnusableFileError("silent: all samples are equal")
        return samples

    def features(self, samples: torch.Tensor) -> torch.Tensor:
        """Features of a recording, shape (1, channels, frames, mel_bins).

        Raises:
            UnusableFileError: If they cannot be computed, or are no spectrogram.
        """
        features = self._features(samples)
        if features.ndim != 4 or not torch.isfinite(features).all():
            what = f"of the shape {tuple(features.shape)}" if features.ndim != 4 else "not finite"
            raise UnusableFileError(f"its features are {what}")
        return features


class Explaining:
    """Everything that stays the same from clip to clip.

    Args:
        args: Arguments of the command.

    Raises:
        ValueError: If the model, a name or a file among them is wrong.
    """

    def __init__(self, args: "ExplainArgs") -> None:
        self.args = args
        self.output = Path(args.output)
        self.masks = list(dict.fromkeys(args.mask or MASKS))
        for name in [*self.masks, *args.listen]:
            if name not in MASKS:
                raise unknown_name("mask", name, MASKS)
        self.class_names = read_class_names(Path(args.model))
        self.labels = _read_labels(args.labels)
        self.reader = ClipReader(
            model_path=args.model,
            checkpoint=args.checkpoint,
            preprocess_cfg=args.preprocess_cfg,
        )
        fused = fuse_batch_norms(self.reader.model)
        self.model = fused.to(memory_format=torch.channels_last)  # twice as fast on a CPU
        if args.layer and args.layer not in dict(layers(self.model)):
            raise ValueError(f"The model has no layer '{args.layer}'.")
        self.noises = self._read_noises()
        self.protocol = self._make_protocol()
        try:
            self.reconstructor = self._make_reconstructor()
        except ValueError as error:
            self.reconstructor = None
            if not args.quiet:
                print(f"No audio of the parts: {error}")

    def run(self, files: Sequence[str]) -> Done:
        """Explain files and write the tables.

        Args:
            files: Paths relative to the input folder.

        Raises:
            ValueError: If the output folder belongs to something else.
        """
        self._open_output()
        reasons = {}
        for file in tqdm(files, desc="Explaining", unit="file", disable=self.args.quiet):
            try:
                self._explain_file(file)
            except UnusableFileError as error:
                reasons[file] = str(error)
        explained = [file for file in files if file not in reasons]
        self._write_tables(explained)
        errors = self.output / "errors.csv"
        if reasons:
            table = pd.DataFrame(reasons.items(), columns=["filename", "reason"])
            with atomic_file(errors) as part:
                table.to_csv(part, index=False, errors="backslashreplace")
        else:
            errors.unlink(missing_ok=True)
        return Done(len(explained), len(reasons))

    def _rate(self) -> int:
        rate = self.reader.sample_rate
        if rate is None:
            raise ValueError("The model does not tell the sampling rate of its recordings.")
        return rate

    def _read_noises(self) -> dict[str, torch.Tensor | None]:
        """Noises by name; clean clips have none."""
        noises: dict[str, torch.Tensor | None] = {_CLEAN: None}
        for path in self.args.noise:
            name = Path(path).stem
            if name in noises:
                raise ValueError(f"Two noises are called '{name}'.")
            noises[name] = _read_noise(path, self._rate(), self.args.seed)
        return noises

    def _make_reconstructor(self) -> Reconstructor:
        """One that was tried out: whether cutting can be followed shows on audio only."""
        reconstructor = Reconstructor(self.reader.transforms)
        samples = draw_white_noise(2 * self._rate())
        reconstructor.split(samples, torch.ones_like(self.reader.features(samples)[0, :1]))
        return reconstructor

    def _make_protocol(self) -> ExplanationSettings:
        args = self.args
        silence = args.silence
        if silence is None:
            silence = silent_value(self.reader.transforms, self._rate())
        return ExplanationSettings(
            explainers={
                name: make_explainer(name, baseline=silence, seed=args.seed, layer=args.layer)
                for name in with_floors(args.explainer)
            },
            masks=self.masks,
            baseline=silence,
            batch_size=args.batch_size,
            source_compatible=args.source_compatible,
        )

    def _settings(self) -> dict:
        """What the results depend on, beside the recordings."""
        args = self.args
        weights = Path(args.model, args.checkpoint, "model.pt").read_bytes()
        return {
            "model": hashlib.sha256(weights).hexdigest(),
            "explainers": list(self.protocol.explainers),
            "masks": self.masks,
            "listen": args.listen,
            "noises": {
                name: noise if noise is None else hashlib.sha256(noise.numpy()).hexdigest()
                for name, noise in self.noises.items()
            },
            "alpha": args.alpha,
            "labels": None if self.labels is None else dict(sorted(self.labels.items())),
            "silence": self.protocol.baseline,
            "layer": args.layer,
            "sanity": args.sanity,
            "source_compatible": args.source_compatible,
            "preprocessing": args.preprocess_cfg,
            "seed": args.seed,
            "version": autrainer_ext.__version__,
        }

    def _open_output(self) -> None:
        """Make the output folder, or see to it that it can be continued."""
        path, settings = self.output / "settings.yaml", self._settings()
        if self.output.exists() and not self.output.is_dir():
            raise ValueError(f"Output '{self.output}' is not a folder.")
        if self.output.is_dir() and any(self.output.iterdir()):
            if not path.is_file():
                raise ValueError(f"Output folder '{self.output}' holds something else.")
            earlier = yaml.safe_load(path.read_text())
            other = [key for key in settings if (earlier or {}).get(key) != settings[key]]
            if other:
                raise ValueError(
                    f"Output folder '{self.output}' was begun with another '{other[0]}': choose "
                    "another folder."
                )
            return
        with atomic_file(path) as part:
            part.write_text(yaml.safe_dump(settings, sort_keys=False))

    def _explain_file(self, file: str) -> None:
        folders = {name: self.output / "clips" / name / file for name in self.noises}
        waiting = [name for name, folder in folders.items() if not folder.is_dir()]
        if not waiting:
            return
        recording = self.reader.recording(str(Path(self.args.input, file)))
        for name in waiting:
            samples, noise = recording, self.noises[name]
            if noise is not None:
                samples = _mix(samples, noise, self.args.alpha)
            features = self.reader.features(samples)
            with atomic_folder(folders[name]) as folder:
                self._explain(file, name, samples, features, folder)

    def _explain(
        self, file: str, noise: str, samples: torch.Tensor, features: torch.Tensor, folder: Path
    ) -> None:
        try:
            explained = explain_clip(self.model, features, self.protocol)
        except RuntimeError as error:
            raise UnusableFileError(f"the model failed: {str(error).splitlines()[0]}") from error
        prediction = self.class_names[explained.prediction]
        target = (self.labels or {}).get(file)
        rows = pd.DataFrame(explained.rows).assign(
            run=Path(self.args.model).resolve().name,
            filename=file,
            target=target,
            prediction=prediction,
            confidence=explained.confidence,
            correct=None if target is None else target == prediction,
            noise=noise,
        )
        write_table(rows[COLUMNS], folder / "scores.csv")
        shown = [name for name in explained.attributions if name in self.args.explainer]
        if self.args.sanity:
            self._check_sanity(file, noise, features, explained, shown, folder)
        if not self.args.no_panels:
            front_end = self.reconstructor and self.reconstructor.front_end
            mask = (self.args.listen or self.masks)[0]
            for name in shown:
                panel = draw_panel(features, explained, name, mask, self.protocol, front_end)
                save_figure(panel, folder / name)
        if self.reconstructor is not None and self.args.listen:
            self._write_audio(file, noise, samples, features, explained, shown, folder)

    def _check_sanity(
        self,
        file: str,
        noise: str,
        features: torch.Tensor,
        explained: Explained,
        shown: list[str],
        folder: Path,
    ) -> None:
        target = torch.tensor([explained.prediction])
        rows = [
            {"filename": file, "noise": noise, "explainer": name, "layer": layer, "spearman": value}
            for name in shown
            for layer, value in cascade(
                self.protocol.explainers[name], self.model, features, target, seed=self.args.seed
            ).items()
        ]
        write_table(pd.DataFrame(rows), folder / "sanity.csv")

    def _write_audio(
        self,
        file: str,
        noise: str,
        samples: torch.Tensor,
        features: torch.Tensor,
        explained: Explained,
        shown: list[str],
        folder: Path,
    ) -> None:
        """Parts that can be heard, and what the model answers to them and to masked features."""
        rows = []
        for name in shown:
            masks = make_masks(
                explained.attributions[name][None],
                self.args.listen,
                source_compatible=self.args.source_compatible,
            )
            for mask_name, mask in masks.items():
                parts = self.reconstructor.split(samples, mask[0].mean(dim=0, keepdim=True))
                heard = {"kept": parts.kept, "removed": parts.removed}
                masked = apply_mask(features, mask, self.protocol.baseline)
                row = {"filename": file, "noise": noise, "explainer": name, "mask": mask_name}
                row["confidence"] = explained.confidence
                for (part, audio), shape in zip(heard.items(), masked, strict=True):
                    again = self.reconstructor.features(audio)[None]
                    row[f"{part}_features"] = self._probability(shape, explained.prediction)
                    row[f"{part}_audio"] = self._probability(again, explained.prediction)
                rows.append(row)
                self._write_parts(heard, folder, f"{name}_{mask_name}")
        write_table(pd.DataFrame(rows), folder / "audio.csv")

    def _write_parts(self, heard: dict[str, torch.Tensor], folder: Path, stem: str) -> None:
        peak = max(1.0, *(float(audio.abs().max()) for audio in heard.values()))
        for part, audio in heard.items():
            path = folder / f"{stem}_{part}.flac"
            soundfile.write(path, (audio / peak).T.numpy(), self._rate(), subtype="PCM_24")

    @torch.no_grad()
    def _probability(self, features: torch.Tensor, target: int) -> float:
        return float(self.model(features).double().softmax(dim=1)[0, target])

    def _write_tables(self, files: Sequence[str]) -> None:
        def collect(table: str) -> Iterator[pd.DataFrame]:
            for noise in self.noises:
                for file in files:
                    path = self.output / "clips" / noise / file / f"{table}.csv"
                    if path.is_file():
                        yield pd.read_csv(path, dtype={"target": str, "prediction": str})

        if not files:
            return
        scores = pd.concat(collect("scores"), ignore_index=True)
        write_table(scores, self.output / "scores.csv")
        write_table(summarise(scores), self.output / "summary.csv")
        for table, finish in (("audio", lambda rows: rows), ("sanity", summarise_sanity)):
            found = list(collect(table))
            if found:
                rows = finish(pd.concat(found, ignore_index=True))
                write_table(rows, self.output / f"{table}.csv")


def _read_labels(path: str | None) -> dict[str, str] | None:
    if path is None:
        return None
    table = pd.read_csv(path, dtype=str)
    for column in ("filename", "target"):
        if column not in table:
            raise ValueError(f"'{path}' has no column '{column}'.")
    return dict(zip(table["filename"], table["target"], strict=True))


def _mix(samples: torch.Tensor, noise: torch.Tensor, alpha: float) -> torch.Tensor:
    try:
        return contaminate(samples, noise, alpha=alpha)
    except ValueError as error:
        raise UnusableFileError(f"cannot be mixed: {error}") from error


def _read_noise(name: str, rate: int, seed: int) -> torch.Tensor:
    """Noise at the rate of the recordings, shape (1, samples)."""
    if name == "white":
        return draw_white_noise(10 * rate, seed=seed)
    try:
        samples, own_rate = audiofile.read(name, always_2d=True)
    except (RuntimeError, OSError) as error:
        raise ValueError(f"Noise '{name}' is not readable as audio.") from error
    mono = torch.from_numpy(np.ascontiguousarray(samples)).mean(dim=0, keepdim=True)
    mono = torchaudio.functional.resample(mono, own_rate, rate)
    if not bool(mono.any()):
        raise ValueError(f"Noise '{name}' is silent.")
    return mono
