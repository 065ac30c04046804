"""Front ends as networks: the transforms from waveform to features for batches, for export.

The transforms of a front end process one clip at a time and may branch on its length. Here they
have the same results for batches and only operations that an ONNX file can hold. The largest level
of a clip is found per clip.
"""

import math
from collections.abc import Callable, Sequence

import torch
from autrainer.transforms import (
    AnyToTensor,
    Normalize,
    NumpyToTensor,
    PannMel,
    ScaleRange,
    StereoToMono,
)
from torch import nn

from autrainer_ext.serving.front_end import front_end
from autrainer_ext.transforms import FixedLength, LogSpectrogram, LowestBands, RelativeLevel

_DECIBELS = 10 / math.log(10)


def front_end_network(transforms: Sequence[object]) -> nn.Sequential:
    """Network that computes what transforms compute, for batches.

    Args:
        transforms: Transforms from waveform to features, in order.

    Returns:
        Network from waveforms, shape (N, channels, samples), to features, shape
        (N, channels, frames, mel_bins).

    Raises:
        ValueError: If the class of a transform cannot be exported.
    """
    return nn.Sequential(*map(_as_network, transforms))


def _as_network(transform: object) -> nn.Module:
    kind = type(transform)
    if kind in _UNCHANGED:
        return nn.Identity()
    for known, build in _NETWORKS.items():
        if isinstance(transform, known):
            return build(transform)
    known_names = sorted(each.__name__ for each in (*_UNCHANGED, *_NETWORKS))
    raise ValueError(
        f"Transform {kind.__name__} cannot be exported: leave out --front-end, or use one of "
        f"{', '.join(known_names)}."
    )


class _Spectrogram(nn.Module):
    """Log spectrogram of this package or of the host."""

    window: torch.Tensor
    filterbank: torch.Tensor | None

    def __init__(self, transform: "LogSpectrogram | PannMel") -> None:
        super().__init__()
        settings = front_end(transform)
        self.n_fft, self.hop_length = settings.n_fft, settings.hop_length
        self.register_buffer("window", settings.window)
        self.register_buffer("filterbank", settings.filterbank)
        if isinstance(transform, PannMel):
            self.preemphasis, self.power, self.log = 0.0, 2.0, "db"
            self.floor, self.divisor = transform.amin, 1.0
            self.offset = -10 * math.log10(max(transform.amin, transform.ref))
        else:
            self.preemphasis, self.power, self.log = (
                transform.preemphasis,
                transform.power,
                transform.log,
            )
            self.floor, self.divisor = transform.floor, transform.divisor
            self.offset = transform.offset
        self.top_db = transform.top_db

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        if self.preemphasis:
            waveform = waveform[..., 1:] - self.preemphasis * waveform[..., :-1]
        spectrum = torch.stft(
            waveform.flatten(0, 1),
            self.n_fft,
            hop_length=self.hop_length,
            win_length=len(self.window),
            window=self.window,
            center=True,
            return_complex=False,  # ONNX has no complex numbers
        )
        energy = spectrum.pow(2).sum(-1).transpose(-1, -2)
        energy = energy.unflatten(0, (-1, waveform.shape[1]))
        if self.power == 1:
            energy = energy.sqrt()
        if self.filterbank is not None:
            energy = energy @ self.filterbank
        return (self._compress(energy) + self.offset) / self.divisor

    def _compress(self, energy: torch.Tensor) -> torch.Tensor:
        if self.log == "ln":
            return (energy + self.floor).log()
        levels = 2 / self.power * _DECIBELS * energy.clamp(min=self.floor).log()
        if self.top_db is not None:
            levels = torch.maximum(levels, _highest(levels) - self.top_db)
        return levels


class _Mono(nn.Module):
    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return waveform.mean(dim=1, keepdim=True)


class _LowestBands(nn.Module):
    def __init__(self, transform: LowestBands) -> None:
        super().__init__()
        self.bands = transform.bands

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features[..., : self.bands]


class _RelativeLevel(nn.Module):
    def __init__(self, transform: RelativeLevel) -> None:
        super().__init__()
        self.range_db = transform.range_db

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return (1 + (features - _highest(features)) / self.range_db).clamp(min=0)


class _FixedLength(nn.Module):
    """Padded, cut and unchanged clips are all frames `start` to `start + length`.

    `start` is negative for clips that are padded.
    """

    window: torch.Tensor

    def __init__(self, transform: FixedLength) -> None:
        super().__init__()
        self.length, self.level = transform.length, transform.level
        self.register_buffer("window", transform._window)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        # not `arange`: the exporter would write down the number of frames of its example
        frames = (features[:, 0, :, 0] == features[:, 0, :, 0]).long().cumsum(dim=1) - 1
        last = frames[:, -1:]
        spare = last + 1 - self.length
        padding = -torch.div(-spare, 2, rounding_mode="floor")
        start = torch.where(spare > 0, self._loudest(features, frames <= spare), padding)
        places = start + torch.arange(self.length)
        is_inside = ((places >= 0) & (places <= last))[:, None, :, None]
        nearest = torch.minimum(places.clamp(min=0), last)[:, None, :, None]
        shape = (-1, features.shape[1], -1, features.shape[3])
        level = torch.tensor(self.level, dtype=features.dtype)
        return torch.where(is_inside, features.gather(2, nearest.expand(shape)), level)

    def _loudest(self, features: torch.Tensor, is_whole: torch.Tensor) -> torch.Tensor:
        """First frame of the loudest part of each clip that is whole, shape (N, 1)."""
        power = torch.exp((features - _highest(features)) / _DECIBELS).mean(dim=(1, 3))
        padded = nn.functional.pad(power, (0, self.length - 1))[:, None]
        loudness = nn.functional.conv1d(padded, self.window)[:, 0]
        return torch.where(is_whole, loudness, torch.tensor(-1.0)).argmax(dim=1, keepdim=True)


class _Normalize(nn.Module):
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, transform: Normalize) -> None:
        super().__init__()
        for name in ("mean", "std"):
            values = torch.tensor(getattr(transform, name), dtype=torch.float32)
            self.register_buffer(name, values.view(-1, 1, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self.mean) / self.std


class _ScaleRange(nn.Module):
    def __init__(self, transform: ScaleRange) -> None:
        super().__init__()
        self.low, self.high = transform.range

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        lowest, highest = -_highest(-features), _highest(features)
        is_constant = lowest == highest
        width = torch.where(is_constant, torch.ones_like(highest), highest - lowest)
        scaled = (features - lowest) / width * (self.high - self.low) + self.low
        return torch.where(is_constant, features, scaled)


def _highest(features: torch.Tensor) -> torch.Tensor:
    """Highest value of each clip, shape (N, 1, 1, 1)."""
    return features.amax(dim=(1, 2, 3), keepdim=True)


_UNCHANGED = (AnyToTensor, NumpyToTensor)
_NETWORKS: dict[type, Callable[..., nn.Module]] = {
    StereoToMono: lambda _transform: _Mono(),
    PannMel: _Spectrogram,
    LogSpectrogram: _Spectrogram,
    LowestBands: _LowestBands,
    FixedLength: _FixedLength,
    RelativeLevel: _RelativeLevel,
    Normalize: _Normalize,
    ScaleRange: _ScaleRange,
}
