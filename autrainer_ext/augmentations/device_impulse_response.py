"""Device augmentation: impulse responses applied as gains of mel bands."""

from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile
import torch
from autrainer.augmentations import AbstractAugmentation
from torchaudio.functional import melscale_fbanks

from autrainer_ext.compat import on_features
from autrainer_ext.errors import unknown_name

_FREQUENCIES = 4097


class DeviceImpulseResponse(AbstractAugmentation):
    """Simulate recording with a random device, given a folder of impulse responses.

    A device multiplies the power at frequency f by |H(f)|^2. The hosts augment features, not
    waveforms, so the gain is applied per mel band: each band changes by the gain in dB that a
    flat spectrum has in the band. This is exact for stationary sounds that are flat within each
    band and for responses shorter than a frame. It ignores smearing over time and the shape of
    the spectrum within a band. On spoken digits and 50 microphones, in bins within 50 dB of the
    loudest, the mean difference from the features of the convolved waveform is 0.5 dB, where the
    device itself changes features by 2.6 dB.

    Gains are normalised by the gain for white noise within the mel filters, which keeps the level
    of the recordings. Bins of digital silence stay silent.

    Args:
        folder: Folder of impulse responses, WAV files of any sample rate. It is read when the
            first clip is augmented.
        exclude: Names of files to ignore, such as the devices of the test split.
        sample_rate: Sample rate of the clips in Hz.
        fmin: Lower edge of the mel filters in Hz.
        fmax: Upper edge of the mel filters in Hz.
        mel_bins: Number of mel filters. Clips may contain only the lowest of them.
        mel_scale: "slaney" or "htk".
        units_per_db: Change of the features per dB of power: 1 for features in dB, 0.2303 for
            natural logarithms of power, 0.1151 for those of magnitude, each divided by the
            divisor of the features if there is one.
        floor: Value of digital silence in the features.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the random draws. Default: the same draws in every process.

    Raises:
        ValueError: If not 0 <= fmin < fmax <= sample_rate / 2, or if `mel_scale` is unknown. At
            the first clip: if the folder contains no response or a silent one, or lacks a file of
            `exclude`.

    Source:
        Morocutti et al. (2023), Device-robust acoustic scene classification via impulse response
        augmentation, section 3, there on waveforms. The default features are `log_mel_16k`.
    """

    def __init__(
        self,
        folder: str,
        exclude: list[str] | None = None,
        sample_rate: int = 16_000,
        fmin: float = 50.0,
        fmax: float = 8000.0,
        mel_bins: int = 64,
        mel_scale: str = "slaney",
        units_per_db: float = 1.0,
        floor: float = -100.0,
        order: int = 0,
        p: float = 0.6,
        generator_seed: int | None = None,
    ) -> None:
        if not 0 <= fmin < fmax <= sample_rate / 2:
            raise ValueError(
                f"Arguments 'fmin' and 'fmax' must satisfy 0 <= fmin < fmax <= {sample_rate / 2}, "
                f"got {fmin} and {fmax}."
            )
        if mel_scale not in ("slaney", "htk"):
            raise unknown_name("mel scale", mel_scale, ("slaney", "htk"))
        super().__init__(order, p, generator_seed)
        self.folder = folder
        self.exclude = list(exclude or [])
        self.sample_rate = sample_rate
        self.fmin = fmin
        self.fmax = fmax
        self.mel_bins = mel_bins
        self.mel_scale = mel_scale
        self.units_per_db = units_per_db
        self.floor = floor

    @on_features
    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Apply the gains of a random device to `x`, shape (..., frames, mel_bins or fewer)."""
        device = int(torch.randint(len(self._gains), (1,), generator=self.g))
        gains = self._gains[device, : x.shape[-1]].to(x)
        return torch.where(x > self.floor, (x + gains).clamp(min=self.floor), x)

    @cached_property
    def _gains(self) -> torch.Tensor:
        """Gains of all devices in units of the features, shape (devices, mel_bins)."""
        files = {file.name: file for file in sorted(Path(self.folder).glob("*.wav"))}
        for name in self.exclude:
            if files.pop(name, None) is None:
                raise unknown_name("impulse response", name, files, where=f"'{self.folder}'")
        if not files:
            raise ValueError(f"Folder '{self.folder}' contains no impulse responses (WAV files).")
        return self.units_per_db * torch.stack([self._read(file) for file in files.values()])

    def _read(self, file: Path) -> torch.Tensor:
        response, rate = soundfile.read(file, always_2d=True)
        try:
            return band_gains(
                response.mean(axis=1),
                rate,
                sample_rate=self.sample_rate,
                fmin=self.fmin,
                fmax=self.fmax,
                mel_bins=self.mel_bins,
                mel_scale=self.mel_scale,
            )
        except ValueError as error:
            raise ValueError(f"'{file}': {error}") from error


def band_gains(
    response: np.ndarray,
    rate: int,
    *,
    sample_rate: int,
    fmin: float,
    fmax: float,
    mel_bins: int,
    mel_scale: str = "slaney",
) -> torch.Tensor:
    """Gain of a recording device in every mel band, for a flat spectrum.

    Args:
        response: Impulse response, shape (samples,).
        rate: Sample rate of the response in Hz. Above rate / 2 the gain at rate / 2 applies.
        sample_rate: Sample rate of the clips in Hz.
        fmin: Lower edge of the mel filters in Hz.
        fmax: Upper edge of the mel filters in Hz.
        mel_bins: Number of mel filters.
        mel_scale: "slaney" or "htk".

    Returns:
        Gains in dB, relative to the mean power from `fmin` to `fmax`, shape (mel_bins,).

    Raises:
        ValueError: If the response is silent between `fmin` and `fmax`.

    Example:
        >>> click = np.array([1.0, 0.0, 0.0])
        >>> mel = {"sample_rate": 16000, "fmin": 50.0, "fmax": 8000.0, "mel_bins": 3}
        >>> band_gains(click, 16000, **mel).abs().max().item() < 1e-4  # a flat response
        True
    """
    spectrum = np.abs(np.fft.rfft(response, 2 * max(len(response), _FREQUENCIES))) ** 2
    frequencies = np.linspace(0, sample_rate / 2, _FREQUENCIES)
    power = np.interp(frequencies, np.linspace(0, rate / 2, len(spectrum)), spectrum)
    inside = (frequencies >= fmin) & (frequencies <= fmax)
    if not power[inside].min() >= 0 or not power[inside].any():
        raise ValueError(f"The impulse response is silent from {fmin} to {fmax} Hz.")
    relative = torch.from_numpy(power / power[inside].mean())
    filters = melscale_fbanks(
        _FREQUENCIES, fmin, fmax, mel_bins, sample_rate, mel_scale=mel_scale
    ).double()
    gains = (relative @ filters) / filters.sum(dim=0)
    return 10 * gains.clamp(min=1e-12).log10().float()
