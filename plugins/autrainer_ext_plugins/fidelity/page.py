"""Page of one clip: players of the recording and of what explanations keep and remove."""

from collections.abc import Sequence
from pathlib import Path

import torch

from autrainer_ext.explanation.evaluation import Explained
from autrainer_ext.report.clips import save_overlay, save_spectrogram, save_veil
from autrainer_ext.report.page import render_clip

from .tables import ClipKey


def write_clip_page(
    folder: Path,
    key: ClipKey,
    features: torch.Tensor,
    explained: Explained,
    *,
    masks: Sequence[str],
    seconds: float,
    heard: tuple[float, float],
) -> None:
    """Write `index.html` and its pictures beside the audio of a clip.

    Args:
        folder: Folder of the clip, which holds `recording.flac`, the kept and the removed part of
            every explainer and mask and, if the model did not hear everything, `unseen.flac`.
        key: The clip.
        features: Features of the clip, shape (1, channels, frames, mel_bins).
        explained: Explanations of the clip.
        masks: Names of the masks whose parts can be heard.
        seconds: Length of the recording.
        heard: Start and end in seconds of what became features.
    """
    save_spectrogram(features[0].mean(dim=0).numpy(), folder / "spectrogram.png")
    parts = []
    for name, attributions in explained.attributions.items():
        save_overlay(attributions.mean(dim=0).numpy(), folder / f"{name}_map.png")
        for mask in masks:
            stem = f"{name}_{mask}"
            kept = explained.masks[name][mask].mean(dim=0).numpy()
            save_veil(kept, folder / f"{stem}_kept.png")
            save_veil(1 - kept, folder / f"{stem}_removed.png")
            parts.append(
                {
                    "explainer": name,
                    "mask": mask,
                    "map": f"{name}_map.png",
                    "kept": f"{stem}_kept.flac",
                    "removed": f"{stem}_removed.flac",
                    "veil_kept": f"{stem}_kept.png",
                    "veil_removed": f"{stem}_removed.png",
                }
            )
    clip = {
        "filename": key.filename,
        "noise": key.noise,
        "target": key.target,
        "prediction": key.prediction,
        "confidence": explained.confidence,
        "seconds": seconds,
        "start": max(heard[0], 0.0),
        "end": min(heard[1], seconds),
        "picture": heard,
        "recording": "recording.flac",
        "unseen": "unseen.flac" if (folder / "unseen.flac").exists() else None,
        "spectrogram": "spectrogram.png",
        "parts": parts,
    }
    (folder / "index.html").write_text(render_clip(clip), encoding="utf-8")
