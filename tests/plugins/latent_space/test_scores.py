import numpy as np
import pytest

from autrainer_ext_plugins.latent_space.scores import chance_on_other_devices


def test_chance_is_the_mean_share_of_the_class_on_other_devices():
    classes = np.array(["x", "x", "y", "x", "y", "y"])
    devices = np.array(["a", "a", "a", "b", "b", "b"])
    # on b: x is 1 of 3, y 2 of 3; on a: x is 2 of 3, y 1 of 3
    shares = [1 / 3, 1 / 3, 2 / 3, 2 / 3, 1 / 3, 1 / 3]
    assert chance_on_other_devices(classes, devices) == pytest.approx(np.mean(shares))
    assert np.isnan(chance_on_other_devices(classes, np.array(["a"] * 6)))
