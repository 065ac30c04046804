"""Clips and measurements that the tests of corruptions share."""

import numpy as np
import torch

RATE = 16000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clips(n=3, samples=RATE, seed=0):
    """Noise with a falling spectrum and an envelope, as speech has."""
    white = torch.randn(n, samples, generator=generator(seed))
    spectrum = torch.fft.rfft(white) / (1 + torch.arange(samples // 2 + 1) / 500)
    envelope = torch.hann_window(samples) + 0.01
    return 0.3 * torch.fft.irfft(spectrum, samples) * envelope


def tone(hertz, samples=RATE, rate=RATE):
    return 0.5 * torch.sin(2 * torch.pi * hertz * torch.arange(samples) / rate)[None]


def peak_hertz(waveform, rate=RATE):
    window = torch.hann_window(waveform.shape[-1])
    return torch.fft.rfft(waveform * window).abs().argmax(-1) * rate / waveform.shape[-1]


def snr_db(clean, corrupted):
    """Independent of the code: energies in numpy, per clip."""
    clean, error = clean.double().numpy(), (corrupted - clean).double().numpy()
    return 10 * np.log10((clean**2).sum(1) / (error**2).sum(1))


RESPONSE = torch.randn(800, generator=generator(3)) * torch.exp(-torch.arange(800) / 60)
