"""Front ends: waveform to log spectrogram, in separate public steps.

With the separate steps, a mask on the features can be mapped back to a gain on the STFT:

    waveform -> `stft` -> |.|^power -> `filterbank` -> `compress` -> features

Features have the layout of the hosts, (channels, frames, bins).
"""

import torch
import torchaudio
from autrainer.transforms import AbstractTransform

from autrainer_ext.compat import on_features
from autrainer_ext.errors import unknown_name

_WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window}
_MEL_SCALES = ("htk", "slaney", "kaldi")


class LogSpectrogram(AbstractTransform):
    """Log spectrogram on a linear frequency axis.

    Args:
        sample_rate: Sample rate of the waveform in Hz.
        n_fft: Length of the Fourier transform in samples; gives n_fft // 2 + 1 bins.
        win_length: Length of the window in samples, at most `n_fft`.
        hop_length: Hop between frames in samples.
        window: "hann" or "hamming".
        periodic: Whether the window is periodic; otherwise symmetric.
        preemphasis: Coefficient a of y[t] = x[t] - a x[t - 1]; the result is one sample shorter
            than x. Zero leaves the waveform as it is.
        power: Exponent of the magnitude: 1 for magnitude, 2 for power.
        log: "db" for 10 log10 of a power (20 log10 of a magnitude) clamped at `floor`, or "ln"
            for the natural logarithm after adding `floor`.
        floor: Energy of silence, positive.
        top_db: Dynamic range below the maximum of the clip in dB; lower values are clamped.
            Default: no limit.
        offset: Added to the logarithm.
        divisor: Divisor of the logarithm after `offset` is added.
        order: Position in the pipeline.

    Raises:
        ValueError: If an argument is outside the ranges above.
    """

    def __init__(
        self,
        sample_rate: int,
        n_fft: int,
        win_length: int,
        hop_length: int,
        window: str = "hann",
        periodic: bool = True,
        preemphasis: float = 0.0,
        power: float = 2.0,
        log: str = "db",
        floor: float = 1e-10,
        top_db: float | None = None,
        offset: float = 0.0,
        divisor: float = 1.0,
        order: int = -90,
    ) -> None:
        super().__init__(order=order)
        if window not in _WINDOWS:
            raise unknown_name("window", window, sorted(_WINDOWS))
        if log not in ("db", "ln"):
            raise unknown_name("logarithm", log, ("db", "ln"))
        if not 0 < win_length <= n_fft:
            raise ValueError(
                f"Argument 'win_length' must be in [1, n_fft={n_fft}], got {win_length}."
            )
        for name, value in (("hop_length", hop_length), ("floor", floor), ("divisor", divisor)):
            if value <= 0:
                raise ValueError(f"Argument '{name}' must be positive, got {value}.")
        if power not in (1, 2):
            raise ValueError(f"Argument 'power' must be 1 or 2, got {power}.")
        if log == "ln" and top_db is not None:
            raise ValueError("Argument 'top_db' needs log='db'.")
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.window = window
        self.periodic = periodic
        self.preemphasis = preemphasis
        self.power = power
        self.log = log
        self.floor = floor
        self.top_db = top_db
        self.offset = offset
        self.divisor = divisor
        self._window = _WINDOWS[window](win_length, periodic=periodic)

    @property
    def filterbank(self) -> torch.Tensor | None:
        """Weights of the bands, shape (n_fft // 2 + 1, bins), or None if the bins stay linear."""
        return None

    def stft(self, waveform: torch.Tensor) -> torch.Tensor:
        """Short-time Fourier transform with centred, reflected frames.

        Args:
            waveform: Shape (..., samples).

        Returns:
            Complex spectrum, shape (..., n_fft // 2 + 1, 1 + samples // hop_length).

        Raises:
            ValueError: If the waveform is too short for reflection at its ends.
        """
        if self.preemphasis:
            waveform = waveform[..., 1:] - self.preemphasis * waveform[..., :-1]
        needed = self.n_fft // 2 + 1
        if waveform.shape[-1] < needed:
            raise ValueError(
                f"The waveform is too short for this front end: {waveform.shape[-1]} samples "
                f"({waveform.shape[-1] / self.sample_rate:.3f} s), but at least {needed} are "
                f"needed ({needed / self.sample_rate:.3f} s at {self.sample_rate} Hz)."
            )
        return torch.stft(
            waveform,
            self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self._window.to(waveform),
            center=True,
            return_complex=True,
        )

    def compress(self, energy: torch.Tensor) -> torch.Tensor:
        """Logarithm, range limit and scaling of |STFT|^power (any shape)."""
        if self.log == "ln":
            features = (energy + self.floor).log()
        else:
            features = 20 / self.power * energy.clamp(min=self.floor).log10()
            if self.top_db is not None:
                features = features.clamp(min=features.max().item() - self.top_db)
        return (features + self.offset) / self.divisor

    @on_features
    def __call__(self, waveform: torch.Tensor) -> torch.Tensor:
        """Compute features.

        Args:
            waveform: Shape (channels, samples).

        Returns:
            Features, shape (channels, frames, bins).
        """
        energy = self.stft(waveform).abs().pow(self.power).transpose(-1, -2)
        filterbank = self.filterbank
        if filterbank is not None:
            energy = energy @ filterbank.to(energy)
        return self.compress(energy)


class LogMelSpectrogram(LogSpectrogram):
    """Log-mel spectrogram: log of the short-time spectrum summed over triangular mel filters.

    Args:
        n_mels: Number of filters.
        f_min: Lower edge of the lowest filter in Hz.
        f_max: Upper edge of the highest filter in Hz, at most half the sample rate. Default:
            half the sample rate.
        mel_scale: "htk", "slaney", or "kaldi" (the htk scale with filters that are triangular in
            mel instead of Hz).
        mel_norm: "slaney" divides each filter by its width in Hz. Default: peak of one.
        sample_rate: See `LogSpectrogram`, as for all other arguments.

    Raises:
        ValueError: If an argument is outside the ranges above.

    Source:
        Slaney (1998), Auditory Toolbox; Young et al., The HTK Book, section 5.4; Kaldi,
        feat/mel-computations.cc.
    """

    def __init__(
        self,
        sample_rate: int,
        n_fft: int,
        win_length: int,
        hop_length: int,
        n_mels: int,
        f_min: float = 0.0,
        f_max: float | None = None,
        mel_scale: str = "htk",
        mel_norm: str | None = None,
        window: str = "hann",
        periodic: bool = True,
        preemphasis: float = 0.0,
        power: float = 2.0,
        log: str = "db",
        floor: float = 1e-10,
        top_db: float | None = None,
        offset: float = 0.0,
        divisor: float = 1.0,
        order: int = -90,
    ) -> None:
        super().__init__(
            sample_rate=sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            window=window,
            periodic=periodic,
            preemphasis=preemphasis,
            power=power,
            log=log,
            floor=floor,
            top_db=top_db,
            offset=offset,
            divisor=divisor,
            order=order,
        )
        upper = sample_rate / 2 if f_max is None else f_max
        if not 0 <= f_min < upper <= sample_rate / 2:
            raise ValueError(
                "Arguments 'f_min' and 'f_max' must satisfy 0 <= f_min < f_max <= "
                f"{sample_rate / 2}, got {f_min} and {upper}."
            )
        if mel_scale not in _MEL_SCALES:
            raise unknown_name("mel scale", mel_scale, _MEL_SCALES)
        if mel_norm not in (None, "slaney") or (mel_norm and mel_scale == "kaldi"):
            raise ValueError(
                "Argument 'mel_norm' must be None, or 'slaney' with mel_scale 'htk' or 'slaney', "
                f"got '{mel_norm}' with '{mel_scale}'."
            )
        self.n_mels = n_mels
        self.f_min = f_min
        self.f_max = f_max
        self.mel_scale = mel_scale
        self.mel_norm = mel_norm
        self._filterbank = (
            self._kaldi_filters(upper) if mel_scale == "kaldi" else self._filters(upper)
        )

    @property
    def filterbank(self) -> torch.Tensor:
        """Weights of every mel filter, shape (n_fft // 2 + 1, n_mels), not negative."""
        return self._filterbank

    def _filters(self, f_max: float) -> torch.Tensor:
        return torchaudio.functional.melscale_fbanks(
            n_freqs=self.n_fft // 2 + 1,
            f_min=self.f_min,
            f_max=f_max,
            n_mels=self.n_mels,
            sample_rate=self.sample_rate,
            norm=self.mel_norm,
            mel_scale=self.mel_scale,
        )

    def _kaldi_filters(self, f_max: float) -> torch.Tensor:
        filters, _ = torchaudio.compliance.kaldi.get_mel_banks(
            self.n_mels,
            self.n_fft,
            self.sample_rate,
            self.f_min,
            f_max,
            vtln_low=100.0,
            vtln_high=-500.0,
            vtln_warp_factor=1.0,
        )
        # Kaldi omits the bin at half the sample rate
        return torch.nn.functional.pad(filters, (0, 1)).T.contiguous()
