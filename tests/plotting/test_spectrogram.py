import matplotlib
import numpy as np
import pytest

from autrainer_ext.plotting import draw_attributions, draw_explained_spectrogram, draw_spectrogram

matplotlib.use("agg")

FEATURES = np.arange(12.0).reshape(4, 3)


@pytest.fixture
def axes():
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_time_runs_right_and_frequency_up(axes):
    draw_spectrogram(axes, FEATURES)
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), FEATURES.T)
    assert image.origin == "lower"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("frame", "bin")


def test_axes_are_in_seconds_and_hertz(axes):
    centres = np.array([250.0, 1000, 3000, 9000])  # the highest band was left out
    draw_spectrogram(axes, FEATURES, frame_seconds=0.02, frequencies_hz=centres)
    assert axes.images[0].get_extent() == [0, 0.08, -0.5, 2.5]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["0.25", "0.5", "1", "2"]
    np.testing.assert_allclose(axes.get_yticks(), [0, 1 / 3, 1, 1.5])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time in s", "frequency in kHz")


def test_attributions_lie_over_the_features_by_their_share(axes):
    attributions = np.zeros((4, 3))
    attributions[1, 2], attributions[3, 0] = 8, 2
    draw_explained_spectrogram(axes, FEATURES, attributions)
    shares = axes.images[1].get_array()
    assert (shares[2, 1], shares[0, 3]) == (1, 0.25)
    np.testing.assert_allclose(axes.images[1].get_alpha(), 0.85 * shares)


def test_attributions_that_are_all_zero_show_nothing(axes):
    draw_explained_spectrogram(axes, FEATURES, np.zeros((4, 3), dtype=np.float32))
    assert not axes.images[1].get_alpha().any()


def test_shapes_that_do_not_fit_are_rejected(axes):
    with pytest.raises(ValueError, match="the values"):
        draw_explained_spectrogram(axes, FEATURES, np.zeros((3, 4)))
    with pytest.raises(ValueError, match="2 frequencies do not fit 3 bins"):
        draw_spectrogram(axes, FEATURES, frequencies_hz=np.array([1.0, 2]))


def test_ticks_stand_at_their_frequency(axes):
    frequencies = np.linspace(0, 8000, 81)  # 100 Hz a bin
    draw_spectrogram(axes, np.zeros((5, 81)), frequencies_hz=frequencies)
    ticks = {
        label.get_text(): place
        for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }
    assert ticks["4"] == pytest.approx(40)
    assert ticks["8"] == pytest.approx(80)
    places = sorted(ticks.values())
    assert min(np.diff(places)) >= 81 / 14  # labels keep clear of each other


def test_colours_of_attributions_are_symmetric(axes):
    values = np.array([[0.0, 1.0], [-3.0, np.nan]])
    image = draw_attributions(axes, values)
    low, high = image.get_clim()
    assert low == -high
    assert float(image.get_array().filled(9)[1, 1]) == 0  # what is not finite


def test_one_extreme_bin_does_not_whiten_the_rest(axes):
    values = np.linspace(-1, 1, 2000).reshape(40, 50)
    values[0, 0] = 1000
    assert draw_attributions(axes, values).get_clim()[1] < 2


def test_maps_of_zeros_are_drawn(axes):
    assert draw_attributions(axes, np.zeros((3, 3))).get_clim() == (-1, 1)
