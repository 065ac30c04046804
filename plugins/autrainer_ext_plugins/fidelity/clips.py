"""Explanations of one clip, written to one folder: scores, sanity check, panels and audio."""

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import soundfile
import torch

from autrainer_ext.explanation.evaluation import ClipSettings, Explained, explain_clip
from autrainer_ext.explanation.masks import apply_mask
from autrainer_ext.explanation.reconstruction import Parts, Reconstructor
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.serving.audio_files import UnusableFileError
from autrainer_ext.serving.forward import ForwardPass
from autrainer_ext_plugins.writing import save_figure, write_table

from .panels import draw_panel
from .sanity import sanity_table
from .tables import CLEAN, score_table, size_table


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
        for name, make_table in (("scores", score_table), ("size", size_table)):
            table = make_table(
                explained,
                run=self.run,
                filename=clip.filename,
                target=self.targets.get(clip.filename),
                prediction=self.class_names[explained.prediction],
                noise=clip.noise,
            )
            write_table(table, folder / f"{name}.csv")
        names = list(explained.attributions)
        if self.settings.sanity:
            correlations = sanity_table(
                self.forward, clip.features, explained, self.clip_settings, self.settings.seed
            )
            key = {"run": self.run, "filename": clip.filename, "noise": clip.noise}
            write_table(correlations.assign(**key), folder / "sanity.csv")
        if self.settings.panels:
            self._draw_panels(clip, explained, names, folder)
        if self.reconstructor is not None and self.settings.listen:
            self._write_audio(self.reconstructor, clip, explained, names, folder)

    def _draw_panels(
        self, clip: Clip, explained: Explained, names: list[str], folder: Path
    ) -> None:
        front_end, start_frame = None, 0
        if self.reconstructor is not None:
            front_end = self.reconstructor.front_end
            start_frame = self.reconstructor.window(clip.samples).start_frame
        heading = f"{clip.filename}, noise {clip.noise}" if clip.noise != CLEAN else clip.filename
        for name in names:
            panel = draw_panel(
                clip.features,
                explained,
                explainer=name,
                mask=self.settings.panel_mask,
                baseline=self.clip_settings.baseline,
                heading=f"{heading}: {self.class_names[explained.prediction]}",
                front_end=front_end,
                start_frame=start_frame,
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
        """Write the audio of the parts, and the scores of masked features and of the audio."""
        rows: list[dict[str, str | float]] = []
        for name in names:
            for mask_name in dict.fromkeys(self.settings.listen):
                mask = explained.masks[name][mask_name]
                parts = reconstructor.split(
                    clip.samples, mask.mean(dim=0, keepdim=True), rate=self.rate
                )
                row: dict[str, str | float] = {
                    "filename": clip.filename,
                    "noise": clip.noise,
                    "explainer": name,
                    "mask": mask_name,
                    "confidence": explained.confidence,
                }
                masked = apply_mask(clip.features, mask[None], self.clip_settings.baseline)
                row.update(self._audio_scores(reconstructor, parts, masked, explained))
                rows.append(row)
                self._write_parts(parts, folder, f"{name}_{mask_name}")
        write_table(pd.DataFrame(rows), folder / "audio.csv")

    def _audio_scores(
        self,
        reconstructor: Reconstructor,
        parts: Parts,
        masked: tuple[torch.Tensor, torch.Tensor],
        explained: Explained,
    ) -> dict[str, float]:
        """Model's outputs and scores for masked features, and for the audio of the same parts."""
        heard = (parts.kept + parts.removed).square().sum().clamp(min=1e-12)
        scores = {"kept_power_share": float(parts.kept.square().sum() / heard)}
        again = [
            reconstructor.features(part, parts.window)[None].expand_as(masked[0])
            for part in (parts.kept, parts.removed)
        ]
        f = explained.confidence
        for kind, inputs in (("features", masked), ("audio", again)):
            kept, removed = self.forward(torch.cat(list(inputs))).double().softmax(dim=1)
            f_in, f_out = float(kept[explained.prediction]), float(removed[explained.prediction])
            scores |= {
                f"kept_{kind}": f_in,
                f"removed_{kind}": f_out,
                f"AD_{kind}": 100 * max(f - f_in, 0) / f,
                f"FF_{kind}": f - f_out,
                f"FidIn_{kind}": float(int(kept.argmax()) == explained.prediction),
            }
        return scores

    def _write_parts(self, parts: Parts, folder: Path, stem: str) -> None:
        """Write the parts as FLAC, scaled by the same factor if one exceeds full scale."""
        assert self.reconstructor is not None  # there are parts
        rate = self.reconstructor.rate(self.rate)
        audio = {f"{stem}_kept": parts.kept, f"{stem}_removed": parts.removed}
        if bool(parts.unseen.any()):
            audio["unseen"] = parts.unseen  # the same for all masks
        peak = max(1.0, *(float(samples.abs().max()) for samples in audio.values()))
        for name, samples in audio.items():
            # in memory: errors of soundfile hide those of the disk
            content = io.BytesIO()
            scaled = (samples / peak).T.numpy()
            soundfile.write(content, scaled, rate, format="FLAC", subtype="PCM_24")
            (folder / f"{name}.flac").write_bytes(content.getbuffer())
