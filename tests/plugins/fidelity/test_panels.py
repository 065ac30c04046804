import numpy as np
import torch
from matplotlib import pyplot as plt

from autrainer_ext.explanation.evaluation import Explained
from autrainer_ext_plugins.fidelity.panels import draw_panel


def test_panel_shows_features_attributions_and_the_kept_part():
    features = torch.arange(12.0).reshape(1, 1, 3, 4)
    mask = torch.zeros(1, 3, 4)
    mask[:, 1] = 1
    attributions = {"lime": features[0] - 6}
    errors = {"lime": torch.full((1, 3, 4), 0.5)}
    explained = Explained(0, 0.9, attributions, errors, {"lime": {"bin": mask}}, [], [])
    figure = draw_panel(
        features,
        explained,
        explainer="lime",
        mask="bin",
        baseline=-5.0,
        heading="a.wav: dog",
        front_end=None,
        start_frame=7,
    )
    titles = [axis.get_title() for axis in figure.axes[:4]]
    shown = ["input", "lime: for (red), against (blue)", "kept by the mask bin", "standard error"]
    assert titles == shown
    assert figure.get_suptitle() == "a.wav: dog, probability 0.90"
    assert [axis.get_ylabel() for axis in figure.axes[4:]] == [
        "features",
        "probability",
        "features",
        "probability",
    ]
    assert figure.axes[0].get_xlim() == (7, 10)  # on the time of the recording
    images = [np.sort(np.asarray(axis.images[0].get_array()).ravel()) for axis in figure.axes[:3]]
    plt.close(figure)
    np.testing.assert_array_equal(images[0], np.arange(12))
    np.testing.assert_array_equal(images[1], np.arange(12) - 6)
    np.testing.assert_array_equal(images[2], [-5] * 8 + [4, 5, 6, 7])
