"""Explanations of one clip, written to one folder: scores, sanity check, panels and audio."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import soundfile
import torch

from autrainer_ext.explanation.evaluation import ClipSettings, Explained, explain_clip
from autrainer_ext.explanation.masks import apply_mask
from autrainer_ext.explanation.reconstruction import Reconstructor
from autrainer_ext.explanation.sanity import cascade
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.serving.audio_files import UnusableFileError
from autrainer_ext.serving.forward import ForwardPass
from autrainer_ext_plugins.writing import save_figure, write_table

from .panels import draw_panel
from .tables import score_table


@dataclass(frozen=True)
class Clip:
    """A recording with or without noise, and its features.

    Attributes:
        filename: Path of the recording relative to the input folder.
        noise: Name of the noise in it, `tables.CLEAN` without.
        samples: Shape (channels, samples).
        features: Shape (1, channels, frames, mel_bins).
    """

    filename: str
    noise: str
    samples: torch.Tensor
    features: torch.Tensor


@dataclass(frozen=True)
class ClipExplainer:
    """Explains clips of one model and writes the results.

    Attributes:
        forward: Engine of the network from features to logits.
        run: Name of the model in the tables.
        class_names: Names of the classes in the order of the logits.
        targets: Names of true classes by filename; clips without one are scored without `correct`.
        settings: Settings as the user gave them.
        clip_settings: The same settings, resolved for one clip.
        rate: Sample rate of the recordings in Hz.
        reconstructor: Computes audio of the kept and removed parts, or None to write no audio.
    """

    forward: ForwardPass
    run: str
    class_names: list[str]
    targets: dict[str, str]
    settings: ExplainSettings
    clip_settings: ClipSettings
    rate: int
    reconstructor: Reconstructor | None

    def explain(self, clip: Clip, folder: Path) -> None:
        """Explain a clip and write all results.

        Args:
            clip: Recording and features.
            folder: Existing empty folder.

        Raises:
            UnusableFileError: If the model fails.
        """
        try:
            explained = explain_clip(self.forward, clip.features, self.clip_settings)
        except RuntimeError as error:
            raise UnusableFileError(f"the model failed: {str(error).splitlines()[0]}") from error
        scores = score_table(
            explained,
            run=self.run,
            filename=clip.filename,
            target=self.targets.get(clip.filename),
            prediction=self.class_names[explained.prediction],
            noise=clip.noise,
        )
        write_table(scores, folder / "scores.csv")
        # the random explainers are scored, but neither drawn nor written as audio
        names = [name for name in explained.attributions if name in self.settings.explainers]
        if self.settings.sanity:
            self._write_sanity(clip, explained, names, folder)
        if self.settings.panels:
            self._draw_panels(clip, explained, names, folder)
        if self.reconstructor is not None and self.settings.listen:
            self._write_audio(self.reconstructor, clip, explained, names, folder)

    def _write_sanity(
        self, clip: Clip, explained: Explained, names: list[str], folder: Path
    ) -> None:
        target = torch.tensor([explained.prediction])
        key = {"filename": clip.filename, "noise": clip.noise}
        rows = []
        for name in names:
            explainer = self.clip_settings.explainers[name]
            correlations = cascade(
                explainer, self.forward, clip.features, target, seed=self.settings.seed
            )
            rows += [
                key | {"explainer": name, "layer": layer, "spearman": value}
                for layer, value in correlations.items()
            ]
        write_table(pd.DataFrame(rows), folder / "sanity.csv")

    def _draw_panels(
        self, clip: Clip, explained: Explained, names: list[str], folder: Path
    ) -> None:
        front_end = None if self.reconstructor is None else self.reconstructor.front_end
        for name in names:
            panel = draw_panel(
                clip.features,
                explained,
                explainer=name,
                mask=self.settings.panel_mask,
                baseline=self.clip_settings.baseline,
                front_end=front_end,
            )
            save_figure(panel, folder / name)

    def _write_audio(
        self,
        reconstructor: Reconstructor,
        clip: Clip,
        explained: Explained,
        names: list[str],
        folder: Path,
    ) -> None:
        """Write the audio of both parts, and the model's output for it and for masked features."""
        rows = []
        for name in names:
            for mask_name in dict.fromkeys(self.settings.listen):
                mask = explained.masks[name][mask_name]
                parts = reconstructor.split(clip.samples, mask.mean(dim=0, keepdim=True))
                audio = {"kept": parts.kept, "removed": parts.removed}
                masked = apply_mask(clip.features, mask[None], self.clip_settings.baseline)
                row: dict[str, str | float] = {
                    "filename": clip.filename,
                    "noise": clip.noise,
                    "explainer": name,
                    "mask": mask_name,
                    "confidence": explained.confidence,
                }
                for (part, samples), features in zip(audio.items(), masked, strict=True):
                    again = reconstructor.features(samples)[None]
                    row[f"{part}_features"] = self._probability(features, explained.prediction)
                    row[f"{part}_audio"] = self._probability(again, explained.prediction)
                rows.append(row)
                self._write_parts(audio, folder, f"{name}_{mask_name}")
        write_table(pd.DataFrame(rows), folder / "audio.csv")

    def _write_parts(self, audio: dict[str, torch.Tensor], folder: Path, stem: str) -> None:
        """Write both parts as FLAC, scaled by the same factor if one exceeds full scale."""
        peak = max(1.0, *(float(samples.abs().max()) for samples in audio.values()))
        for part, samples in audio.items():
            path = folder / f"{stem}_{part}.flac"
            soundfile.write(path, (samples / peak).T.numpy(), self.rate, subtype="PCM_24")

    def _probability(self, features: torch.Tensor, target: int) -> float:
        return float(self.forward(features).double().softmax(dim=1)[0, target])
