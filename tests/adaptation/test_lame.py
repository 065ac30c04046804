import numpy as np
import pytest
import torch

from autrainer_ext.adaptation.lame import LAME

from .conftest import stripes


def test_lame_reaches_its_fixed_point_and_lets_neighbours_agree(model):
    features, _ = stripes(12, seed=4)
    lame = LAME(model, n_neighbours=3)
    z = lame.step(features).logits.exp().double()
    log_p = model(features).detach().double().log_softmax(1)
    e = model.embeddings(features).detach().double().numpy()
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    w = np.zeros((12, 12))
    for i in range(12):
        others = [j for j in np.argsort(-(e @ e[i])) if j != i][:3]
        w[i, others] += 0.5
        w[others, i] += 0.5
    expected = (log_p + torch.from_numpy(w) @ z).softmax(1)
    torch.testing.assert_close(z, expected, atol=1e-4, rtol=1e-3)


def test_lame_of_one_sample_is_the_source(model):
    features, _ = stripes(1, seed=4)
    torch.testing.assert_close(
        LAME(model).step(features).logits.exp(), model(features).detach().softmax(1)
    )


def test_number_of_neighbours_is_positive(model):
    with pytest.raises(ValueError, match="Argument 'n_neighbours' must be positive, got 0"):
        LAME(model, n_neighbours=0)
