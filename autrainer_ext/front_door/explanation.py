"""Explanation of one prediction, with audio of the parts it rests on."""

import base64
import html
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch
from torch import nn

from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.evaluation import ClipSettings, explain_clip
from autrainer_ext.explanation.masks import apply_mask, make_masks
from autrainer_ext.explanation.reconstruction import Parts, Reconstructor
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.runs import read_class_names
from autrainer_ext.serving.forward import forward_pass
from autrainer_ext.serving.silence import silent_value

from .audio import (
    FrontEnd,
    compute_features,
    count_classes,
    open_network,
    open_reader,
    read_samples,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_DRAWN = ("map", "input", "kept", "removed")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Explanation of the prediction for one recording; see `explain`.

    Attributes:
        prediction: Predicted class, which is explained: its name, or its index without names.
        confidence: Probability of that class, 0 to 1.
        explainer: Name of the explainer.
        mask_name: Name of the mask that makes the kept and the removed part.
        map: Attributions, positive where a bin speaks for the class, shape (channels, frames,
            bins).
        features: Features of the recording, shape of `map`.
        samples: The recording as the spectrogram receives it, mono, shape (samples,), or None if
            features were given.
        rate: Sample rate in Hz of `samples`, `kept`, `removed` and `unseen`, or None.
        scores: Table of the measures of the glossary (FF, AI, AD, ...): one row, with
            those of random masks of equal size in the columns `..._floor`.
    """

    prediction: str | int
    confidence: float
    explainer: str
    mask_name: str
    map: np.ndarray
    features: np.ndarray
    samples: np.ndarray | None
    rate: int | None
    scores: "pd.DataFrame"
    _baseline: float
    _recording: torch.Tensor | None = None
    _reconstructor: Reconstructor | None = None
    _no_audio: str = ""
    _parts: dict[str, Parts] = field(default_factory=dict)

    def mask(self, name: str | None = None) -> np.ndarray:
        """Share of every bin that the explanation keeps.

        Args:
            name: Name of a mask, such as "bin" (positive attributions) or "topK_5" (5 % of the
                bins). Default: `mask_name`.

        Returns:
            Shape of `map`, in [0, 1].

        Raises:
            ValueError: If there is no such mask.
        """
        name = name or self.mask_name
        return make_masks(torch.from_numpy(self.map)[None], [name])[name][0].numpy()

    def parts(self, name: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Audio of the parts that a mask keeps and removes; with `unseen` they sum to `samples`.

        Args:
            name: Name of a mask. Default: `mask_name`.

        Returns:
            Kept and removed part, each of shape (samples,), at the sample rate `rate`.

        Raises:
            ValueError: If there is no such mask, or no audio can be computed: features were given
                instead of a recording, or the front end cannot be inverted.
        """
        parts = self._split(name or self.mask_name)
        return parts.kept[0].numpy(), parts.removed[0].numpy()

    def _split(self, name: str) -> Parts:
        if name not in self._parts:
            mask = torch.from_numpy(self.mask(name)).mean(dim=0, keepdim=True)
            if self._reconstructor is None or self._recording is None:
                raise ValueError(f"No audio of the parts: {self._no_audio}")
            self._parts[name] = self._reconstructor.split(self._recording, mask, rate=self.rate)
        return self._parts[name]

    @cached_property
    def kept(self) -> np.ndarray:
        """Audio of the part that the explanation keeps, shape (samples,); see `parts`."""
        return self.parts()[0]

    @cached_property
    def removed(self) -> np.ndarray:
        """Audio of the part that the explanation removes, shape (samples,); see `parts`."""
        return self.parts()[1]

    @cached_property
    def unseen(self) -> np.ndarray:
        """Audio that the front end cuts off, shape (samples,): zero if it cuts nothing off.

        Raises:
            ValueError: See `parts`.
        """
        return self._split(self.mask_name).unseen[0].numpy()

    def plot(self, ax: "Axes | None" = None, what: str = "map") -> "Axes":
        """Draw attributions or features, averaged over channels.

        Args:
            ax: Axes to draw on. Default: a new figure.
            what: "map" for the attributions (red: for the class, blue: against it), "input" for the
                features, "kept" or "removed" for the features of a part.

        Returns:
            The axes, in seconds and kHz if the front end is known, else in frames and bins.

        Raises:
            ValueError: If `what` is none of these.
        """
        from matplotlib import pyplot as plt

        from autrainer_ext.plotting import draw_attributions, draw_spectrogram
        from autrainer_ext.plotting.page import page_size

        if what not in _DRAWN:
            raise unknown_name("drawing", what, _DRAWN)
        if ax is None:
            size = page_size(share=0.55, lines=3)
            ax = plt.figure(figsize=size, layout="constrained").add_subplot()
        scales = {} if self._reconstructor is None else self._reconstructor.front_end.axes
        if what == "map":
            draw_attributions(ax, self.map.mean(axis=0), **scales)
            name = self.explainer.replace("_", " ")
            ax.set_title(f"{name} for class {self.prediction} ({self.confidence:.2f})")
            return ax
        features, mask = torch.from_numpy(self.features), torch.from_numpy(self.mask())
        kept, removed = apply_mask(features, mask, self._baseline)
        shown = {"input": features, "kept": kept, "removed": removed}[what].mean(dim=0).numpy()
        whole = features.mean(dim=0)
        limits = float(whole.min()), float(whole.max())
        draw_spectrogram(ax, shown, limits=limits, **scales)
        ax.set_title(what if what == "input" else f"{what} by {self.mask_name}")
        return ax

    def __repr__(self) -> str:
        return (
            f"Explanation(class {self.prediction}, confidence {self.confidence:.3f}, "
            f"{self.explainer}, mask {self.mask_name})"
        )

    def _repr_html_(self) -> str:
        """The class with players of the recording and both parts, for notebooks."""
        title = f"{self.prediction} ({self.confidence:.2f}), explained by {self.explainer}"
        lines = [f"<b>{html.escape(title)}</b>"]
        if self.samples is None or self._reconstructor is None:
            return "".join([*lines, f"<br>{html.escape(self._no_audio)}"])
        sounds = {"recording": self.samples, "kept": self.kept, "removed": self.removed}
        if self.unseen.any():
            sounds["unseen"] = self.unseen
        peak = max(float(np.abs(sound).max()) for sound in sounds.values())
        cells = [
            f"<tr><td>{name}</td><td><audio controls src='{_as_wav(sound / peak, self.rate)}'>"
            "</audio></td></tr>"
            for name, sound in sounds.items()
        ]
        return "".join([*lines, "<table>", *cells, "</table>"])


def explain(
    model: nn.Module | Path | str,
    audio: Path | str | np.ndarray | torch.Tensor,
    rate: int | None = None,
    *,
    explainer: str = "integrated_gradients",
    mask: str = "bin",
    front_end: FrontEnd | None = None,
    class_names: list[str] | None = None,
    baseline: float | None = None,
    layer: str | None = None,
    seed: int = 0,
) -> Explanation:
    """Explain the prediction of a network for one recording, and split it into two parts.

    Args:
        model: Run or model directory, or any network from features to logits, in any mode; it is
            not modified.
        audio: Path of an audio file; an array of samples with its `rate`; or features, shape (1,
            channels, frames, bins) or (channels, frames, bins), for which there is no audio.
        rate: Sample rate of an array in Hz, which must be that of the front end.
        explainer: Name of an explainer, such as "integrated_gradients", "grad_cam", "lime",
            "kernel_shap" or "lime-onsets"; see the guide to the command `explain`.
        mask: Name of the mask that makes the kept and the removed part.
        front_end: Front end of a network without directory: the name of a preprocessing
            configuration, or transforms from samples, shape (1, samples), to features, shape
            (channels, frames, bins). Default: "log_mel_16k", with a warning.
        class_names: Names of the classes of a network without directory. Default: their indices.
        baseline: Value of silent features. Default: computed from the front end; for features,
            their minimum.
        layer: Layer for Grad-CAM. Default: the deepest that localises.
        seed: Seed of explainers that draw random numbers.

    Returns:
        The explanation, with `map`, `mask()`, `kept`, `removed`, `unseen`, `scores` and `plot()`. A
        notebook shows players of the parts.

    Raises:
        ValueError: If the recording, the model, the explainer or the mask cannot be used.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> sound = np.sin(np.arange(16000) / 5) * np.linspace(0, 0.5, 16000)
        >>> e = explain(network, sound, 16000, front_end="log_mel_16k")
        >>> e.map.shape, e.mask().shape, e.kept.shape, e.rate
        ((1, 101, 64), (1, 101, 64), (16000,), 16000)
        >>> bool(np.allclose(e.kept + e.removed + e.unseen, e.samples, atol=1e-5))
        True
    """
    settings = ExplainSettings(
        explainers=(explainer,), masks=(mask,), listen=(), layer=layer, seed=seed
    )
    recording, reconstructor, no_audio = None, None, "features were given instead of a recording."
    if not isinstance(audio, str | Path) and np.ndim(audio) in (3, 4):
        network, features = open_network(model), _as_features(audio)
        level = float(features.min()) if baseline is None else baseline
    else:
        reader = open_reader(model, front_end)
        network = reader.model
        recording = read_samples(reader, audio, rate)
        rate, features = reader.rate, compute_features(reader, recording)
        level = silent_value(reader.transforms, rate) if baseline is None else baseline
        try:
            reconstructor = Reconstructor(reader.transforms)
        except ValueError as error:
            no_audio = str(error)
    names = class_names if isinstance(model, nn.Module) else read_class_names(Path(model))
    forward = forward_pass(network, features)
    n_classes = count_classes(forward, features)
    if names is not None and len(names) != n_classes:
        raise ValueError(f"Got {len(names)} class names for {n_classes} outputs of the network.")
    explained = explain_clip(forward, features, ClipSettings.resolve(settings, level))
    import pandas as pd

    analysed = None
    if recording is not None:
        analysed = recording if reconstructor is None else reconstructor.analysed(recording)
    return Explanation(
        prediction=explained.prediction if names is None else names[explained.prediction],
        confidence=explained.confidence,
        explainer=explainer,
        mask_name=mask,
        map=explained.attributions[explainer].numpy(force=True),
        features=features[0].numpy(),
        samples=None if analysed is None else analysed[0].numpy(),
        rate=None if recording is None else rate,
        scores=pd.DataFrame(explained.rows),
        _baseline=level,
        _recording=recording,
        _reconstructor=reconstructor,
        _no_audio=no_audio,
    )


def _as_features(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    features = torch.as_tensor(values, dtype=torch.float32)
    features = features[None] if features.ndim == 3 else features
    if len(features) != 1 or not torch.isfinite(features).all():
        raise ValueError(
            "Features must be finite numbers of one recording, shape (1, channels, frames, bins), "
            f"got the shape {tuple(features.shape)}."
        )
    return features


def _as_wav(samples: np.ndarray, rate: int | None) -> str:
    """Samples as the address of a WAV file that holds itself."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()
