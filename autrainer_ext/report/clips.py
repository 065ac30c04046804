"""Audio and pictures of recordings: the clip, its spectrogram, its explanation and the parts.

Importing this module imports the serving code of the host.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from matplotlib import colormaps
from PIL import Image

from autrainer_ext.explanation.attributors.registry import make_explainer
from autrainer_ext.explanation.masks import make_masks
from autrainer_ext.explanation.reconstruction import Reconstructor
from autrainer_ext.serving.audio_files import UnusableFileError
from autrainer_ext.serving.audio_reader import brief
from autrainer_ext.serving.clip_reader import ClipReader
from autrainer_ext.serving.forward import ForwardPass
from autrainer_ext.serving.silence import silent_value

_WIDEST = 480  # columns of a picture


@dataclass(frozen=True)
class ClipWriter:
    """Writes audio and pictures of recordings of one model.

    Attributes:
        reader: Front end of the model.
        forward: Network.
        explain: Attributor of the network.
        mask: Name of the mask that makes the kept and the removed part.
        reconstructor: Computes audio of the parts, or None if the front end cannot be inverted.
    """

    reader: ClipReader
    forward: ForwardPass
    explain: Callable[..., torch.Tensor]
    mask: str
    reconstructor: Reconstructor | None

    @classmethod
    def open(cls, model: Path, *, explainer: str, mask: str) -> "ClipWriter":
        """Load a model.

        Args:
            model: Run or model directory.
            explainer: Name of an explainer.
            mask: Name of a mask.

        Raises:
            ValueError: If the model, the explainer or the mask cannot be used.
        """
        reader = ClipReader(model_path=str(model))
        baseline = silent_value(reader.transforms, reader.rate)
        try:
            reconstructor = Reconstructor(reader.transforms)
        except ValueError:
            reconstructor = None
        explain = make_explainer(explainer, baseline=baseline, seed=0)
        forward = ForwardPass(reader.model, device="cpu")
        return cls(reader, forward, explain, mask, reconstructor)

    def write(self, source: Path, folder: Path) -> dict[str, Any]:
        """Write the files of one recording.

        Args:
            source: Path of the recording.
            folder: Folder to create.

        Returns:
            What the page shows: `seconds`, `prediction` and `parts` (whether the kept and removed
            part were written as audio).

        Raises:
            UnusableFileError: If the recording cannot be read.
        """
        samples = self.reader.recording(source)
        features = self.reader.features(samples)
        target = self.forward(features).argmax(dim=1)
        attributions = self.explain(self.forward, features, target)
        kept = make_masks(attributions, [self.mask])[self.mask][0].mean(dim=0, keepdim=True)
        folder.mkdir(parents=True)
        audio = {"clip": samples.mean(dim=0, keepdim=True)}
        if self.reconstructor is not None:
            parts = self.reconstructor.split(samples, kept, rate=self.reader.rate)
            audio |= {"kept": parts.kept, "removed": parts.removed}
        peak = max(1.0, *(float(sound.abs().max()) for sound in audio.values()))
        for name, sound in audio.items():
            path = folder / f"{name}.flac"
            values = (sound[0] / peak).detach().numpy()
            soundfile.write(path, values, self.reader.rate, subtype="PCM_16")
        save_spectrogram(features[0].mean(dim=0).numpy(), folder / "spectrogram.png")
        save_overlay(attributions[0].mean(dim=0).detach().numpy(), folder / "map.png")
        mask = kept[0].numpy()
        save_veil(mask, folder / "kept.png")
        save_veil(1 - mask, folder / "removed.png")
        return {
            "seconds": round(samples.shape[-1] / self.reader.rate, 3),
            "prediction": int(target),
            "parts": self.reconstructor is not None,
        }

    def write_all(
        self,
        directory: Path,
        files: Mapping[int, str],
        folder: Path,
        progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    ) -> tuple[dict[int, dict[str, Any]], dict[str, str]]:
        """Write the files of many recordings to `folder/NUMBER/`.

        Args:
            directory: Folder of the recordings.
            files: Paths relative to it, by the number of the recording.
            folder: Folder to write to.
            progress: Function that wraps the numbers and shows the progress.

        Returns:
            What the page shows, by number; reasons of unusable files, by path.
        """
        clips, reasons = {}, {}
        for number in progress(files):
            try:
                clips[number] = self.write(directory / files[number], folder / str(number))
            except UnusableFileError as error:
                reasons[files[number]] = str(error)
            except RuntimeError as error:
                reasons[files[number]] = f"the model failed: {brief(error)}"
        return clips, reasons


def save_spectrogram(features: np.ndarray, path: Path) -> None:
    """Save features as a picture, low frequencies at the bottom.

    Args:
        features: Shape (frames, bins).
        path: PNG file to write.
    """
    levels = _levels(_narrow(features).T[::-1])
    image = Image.fromarray(levels, mode="P")
    image.putpalette((colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8).tobytes())
    image.save(path, optimize=True)


def save_overlay(attributions: np.ndarray, path: Path) -> None:
    """Save positive attributions as a transparent layer, opaque where they are highest.

    Args:
        attributions: Shape (frames, bins).
        path: PNG file to write.
    """
    values = np.maximum(_narrow(attributions).T[::-1], 0)
    _save_layer(values / max(values.max(), 1e-12), (64, 224, 208), path)


def save_veil(shown: np.ndarray, path: Path) -> None:
    """Save a dark layer that hides what a mask does not show.

    Args:
        shown: Share of every bin that is shown, shape (frames, bins), 0 to 1.
        path: PNG file to write.
    """
    _save_layer(0.92 * (1 - _narrow(shown).T[::-1]), (12, 10, 20), path)


def _save_layer(opacity: np.ndarray, color: tuple[int, int, int], path: Path) -> None:
    """One colour with 16 levels of opacity, shape (rows, columns)."""
    image = Image.fromarray((np.clip(opacity, 0, 1) * 15).round().astype(np.uint8), mode="P")
    image.putpalette(list(color) * 16)
    image.save(path, optimize=True, transparency=bytes(range(0, 256, 17)))


def _narrow(values: np.ndarray) -> np.ndarray:
    """Average neighbouring frames of long clips: a picture has at most `_WIDEST` columns."""
    step = -(-len(values) // _WIDEST)
    whole = len(values) // step * step
    return values[:whole].reshape(-1, step, values.shape[1]).mean(axis=1)


def _levels(values: np.ndarray) -> np.ndarray:
    """Values as 0 to 255, from their 1st to their highest percentile."""
    low, high = np.percentile(values, 1), values.max()
    scaled = (values - low) / max(high - low, 1e-12)
    return (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
