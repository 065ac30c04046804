"""Explanations of one clip, written to one folder: scores, sanity check, panels and audio."""

import io
from collections.abc import Mapping
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
from autrainer_ext.serving.front_end import FrontEnd
from autrainer_ext_plugins.writing import save_figure, write_table

from .page import write_clip_page
from .panels import draw_panel
from .sanity import sanity_table
from .tables import CLEAN, ClipKey, score_table, size_table


@dataclass(frozen=True)
class Clip:
    """A recording with or without noise, and its features.

    Attributes:
        filename: Path of the recording relative to the input folder.
        noise: Name of the noise in it, `tables.CLEAN` without.
        target: Name of the true class; clips without one are scored without `correct`.
        samples: Shape (channels, samples), or None if only the features are known.
        features: Shape (1, channels, frames, mel_bins).
        start: Start of the samples in the recording in seconds, for the axes of panels.
    """

    filename: str
    noise: str
    target: str | None
    samples: torch.Tensor | None
    features: torch.Tensor
    start: float = 0.0


@dataclass(frozen=True)
class ClipExplainer:
    """Explains clips of one model and writes the results.

    Attributes:
        forward: Engine of the network from features to logits.
        run: Name of the model in the tables.
        class_names: Names of the classes in the order of the logits.
        settings: Settings as the user gave them.
        clip_settings: The same settings, resolved for one clip.
        rate: Sample rate of the recordings in Hz, or None without recordings.
        reconstructor: Computes audio of the kept and removed parts, or None to write no audio.
        front_end: Front end for the axes of panels in seconds and Hz, or None for frames and bins.
    """

    forward: ForwardPass
    run: str
    class_names: list[str]
    settings: ExplainSettings
    clip_settings: ClipSettings
    rate: int | None = None
    reconstructor: Reconstructor | None = None
    front_end: FrontEnd | None = None

    def explain(self, clip: Clip, folder: Path, *, is_drawn: bool = True) -> None:
        """Explain a clip and write all results.

        Args:
            clip: Recording and features.
            folder: Existing empty folder.
            is_drawn: Whether panels are drawn, if the settings ask for them.

        Raises:
            UnusableFileError: If the model fails.
        """
        try:
            explained = explain_clip(self.forward, clip.features, self.clip_settings)
        except RuntimeError as error:
            raise UnusableFileError(f"the model failed: {str(error).splitlines()[0]}") from error
        prediction = self.class_names[explained.prediction]
        key = ClipKey(self.run, clip.filename, clip.target, prediction, clip.noise)
        write_table(score_table(explained, key), folder / "scores.csv")
        write_table(size_table(explained, key), folder / "size.csv")
        if self.settings.sanity:
            correlations = sanity_table(
                self.forward, clip.features, explained, self.clip_settings, self.settings.seed
            )
            names = {"run": self.run, "filename": clip.filename, "noise": clip.noise}
            write_table(correlations.assign(**names), folder / "sanity.csv")
        is_drawn = is_drawn and self.settings.panels
        window = None
        if clip.samples is not None and self.reconstructor is not None:
            window = self.reconstructor.window(clip.samples)
        if is_drawn:
            self._draw_panels(clip, explained, folder, 0 if window is None else window.start_frame)
        if window is not None and self.settings.listen:
            seconds = self._write_audio(clip, explained, folder)
            if is_drawn:
                self._write_page(clip, key, explained, folder, window.start_frame, seconds)

    def _draw_panels(
        self, clip: Clip, explained: Explained, folder: Path, start_frame: int
    ) -> None:
        if self.front_end is not None:
            frames = clip.start * self.front_end.sample_rate / self.front_end.hop_length
            start_frame += round(frames)
        heading = f"{clip.filename}, noise {clip.noise}" if clip.noise != CLEAN else clip.filename
        for name in explained.attributions:
            panel = draw_panel(
                clip.features,
                explained,
                explainer=name,
                mask=self.settings.panel_mask,
                baseline=self.clip_settings.baseline,
                heading=f"{heading}: {self.class_names[explained.prediction]}",
                front_end=self.front_end,
                start_frame=start_frame,
            )
            save_figure(panel, folder / name)

    def _write_page(
        self,
        clip: Clip,
        key: ClipKey,
        explained: Explained,
        folder: Path,
        start_frame: int,
        seconds: float,
    ) -> None:
        front_end = self.front_end
        assert front_end is not None  # there is audio
        frames = torch.tensor([start_frame, start_frame + clip.features.shape[-2]])
        times = (frames * front_end.hop_length + front_end.n_skipped) / front_end.sample_rate
        start, end = times.tolist()
        write_clip_page(
            folder,
            key,
            clip.features,
            explained,
            masks=self._heard_masks,
            seconds=seconds,
            heard=(start, end),
        )

    @property
    def _heard_masks(self) -> list[str]:
        return list(dict.fromkeys(self.settings.listen))

    def _write_audio(self, clip: Clip, explained: Explained, folder: Path) -> float:
        """Write audio of the parts and scores of features and audio; length in seconds."""
        reconstructor = self.reconstructor
        assert reconstructor is not None  # checked by `explain`, as the next
        assert clip.samples is not None
        rate = reconstructor.front_end.sample_rate
        rows: list[dict[str, str | float]] = []
        for name in explained.attributions:
            for mask_name in self._heard_masks:
                mask = explained.masks[name][mask_name]
                parts = reconstructor.split(
                    clip.samples, mask.mean(dim=0, keepdim=True), rate=self.rate
                )
                row: dict[str, str | float] = {
                    "run": self.run,
                    "filename": clip.filename,
                    "noise": clip.noise,
                    "explainer": name,
                    "mask": mask_name,
                    "confidence": explained.confidence,
                }
                masked = apply_mask(clip.features, mask[None], self.clip_settings.baseline)
                row.update(self._audio_scores(reconstructor, parts, masked, explained))
                rows.append(row)
                _write_parts(parts, rate, folder, f"{name}_{mask_name}")
        write_table(pd.DataFrame(rows), folder / "audio.csv")
        recording = reconstructor.analysed(clip.samples)
        _write_sounds({"recording": recording}, rate, folder)
        return recording.shape[-1] / rate

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


def _write_parts(parts: Parts, rate: int, folder: Path, stem: str) -> None:
    sounds = {f"{stem}_kept": parts.kept, f"{stem}_removed": parts.removed}
    if bool(parts.unseen.any()):
        sounds["unseen"] = parts.unseen  # the same for all masks
    _write_sounds(sounds, rate, folder)


def _write_sounds(sounds: Mapping[str, torch.Tensor], rate: int, folder: Path) -> None:
    """Write sounds as FLAC, scaled by the same factor if one exceeds full scale."""
    peak = max(1.0, *(float(samples.abs().max()) for samples in sounds.values()))
    for name, samples in sounds.items():
        # in memory: errors of soundfile hide those of the disk
        content = io.BytesIO()
        scaled = (samples / peak).T.numpy()
        soundfile.write(content, scaled, rate, format="FLAC", subtype="PCM_24")
        (folder / f"{name}.flac").write_bytes(content.getbuffer())
