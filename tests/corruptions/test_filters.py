import numpy as np
import pytest
import torch

from autrainer_ext.corruptions.filters import (
    band_limit,
    impulse_response,
    low_pass,
    reverberation,
)

from .conftest import RATE, RESPONSE, clips, generator, tone


def test_impulse_is_a_perfect_device():
    clean = clips()
    response = torch.zeros(300)
    response[120] = -0.2
    recorded = impulse_response(clean, RATE, 1.0, generator=generator(), sounds=[response])
    torch.testing.assert_close(recorded, clean, atol=1e-6, rtol=1e-5)


def test_device_is_a_convolution_at_equal_energy():
    clean, response = clips(), RESPONSE
    recorded = impulse_response(clean, RATE, 1.0, generator=generator(), sounds=[response])
    peak = int(response.abs().argmax())
    slow = np.stack([np.convolve(c, response)[peak : peak + RATE] for c in clean.double().numpy()])
    slow *= np.sign(response[peak].item()) * np.sqrt(
        (clean.numpy() ** 2).sum(1) / (slow**2).sum(1)
    )[:, None]  # fmt: skip
    np.testing.assert_allclose(recorded.numpy(), slow, atol=1e-5)


@pytest.mark.parametrize(("hertz", "decibels"), [(500, 0), (2000, -3.01), (4000, -48.2)])
def test_low_pass_is_butterworth_of_order_8(hertz, decibels):
    passed = low_pass(tone(hertz), RATE, 2000, generator=generator())
    inner = slice(2000, -2000)
    ratio = passed[0, inner].square().mean() / tone(hertz)[0, inner].square().mean()
    assert 10 * torch.log10(ratio).item() == pytest.approx(decibels, abs=0.3)


@pytest.mark.parametrize(("hertz", "passes"), [(100, False), (1000, True), (6000, False)])
def test_band_limit_keeps_its_band(hertz, passes):
    kept = band_limit(tone(hertz), RATE, (300, 3400), generator=generator())[0, 2000:-2000]
    ratio = (kept.square().mean() / tone(hertz)[0, 2000:-2000].square().mean()).item()
    assert ratio == pytest.approx(1, abs=0.01) if passes else ratio < 0.01


def test_echoes_have_their_energy_and_decay():
    click = torch.zeros(64, RATE)
    click[:, 0] = 1
    echoes = reverberation(click, RATE, (0.4, 3.0), generator=generator()) - click
    energy = echoes.double().square().mean(0)
    assert -10 * torch.log10(energy.sum()).item() == pytest.approx(3, abs=0.1)
    assert energy[: int(0.0029 * RATE)].max() < 1e-15
    decay = torch.log10(energy[1600:3200].mean() / energy[3200:4800].mean()) * 10  # per 0.1 s
    assert decay.item() == pytest.approx(60 * 0.1 / 0.4, abs=0.5)
