import numpy as np
import pytest
from scipy.stats import norm

from autrainer_ext.runs import RunOutputs
from autrainer_ext_plugins.logit_adjustment.tables import balanced_gain, class_table, path_table

COUNTS = np.array([80, 15, 5])


def skewed_outputs(seed=0, n_samples=3000):
    """Posteriors under the training priors, as of a perfectly trained network; balanced targets."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n_samples) % 3
    centres = 2.0 * np.eye(3)
    x = centres[targets] + rng.normal(size=(n_samples, 3))
    likelihood = np.stack([norm.logpdf(x - centre).sum(axis=1) for centre in centres], axis=1)
    outputs = likelihood + np.log(COUNTS / COUNTS.sum())
    return RunOutputs(outputs, targets, np.arange(n_samples), ["a", "b", "c"])


def test_a_shift_by_the_priors_is_best_and_calibrated_for_balanced_data():
    table = path_table(skewed_outputs(), COUNTS, [0, 0.5, 1, 2], miller_madow=False)
    by_tau = table.set_index("tau")
    assert by_tau["balanced_accuracy"].idxmax() == 1
    assert by_tau["cross_entropy"].idxmin() == 1
    assert by_tau["calibration_error"].idxmin() == 1
    assert by_tau.loc[1, "divergence"] < 0.01 < by_tau.loc[0, "divergence"]
    total = by_tau[["divergence", "mutual_information", "variation"]].sum(axis=1)
    np.testing.assert_allclose(total, 1)


def test_miller_madow_changes_information_only():
    outputs = skewed_outputs(n_samples=90)
    plain, corrected = (
        path_table(outputs, COUNTS, [0, 1], miller_madow=used) for used in (False, True)
    )
    assert (corrected["mutual_information_bits"] != plain["mutual_information_bits"]).all()
    assert corrected["accuracy"].equals(plain["accuracy"])


def test_information_lost_adds_up_to_the_conditional_entropy():
    outputs = skewed_outputs()
    table = class_table(outputs, COUNTS, 1.0)
    path = path_table(outputs, COUNTS, [0, 1], miller_madow=False)
    for name, row in (("", 0), ("_adjusted", 1)):
        lost = (table[f"information_lost{name}"] * table["recordings"]).sum() / 3000
        assert np.log2(3) - lost == pytest.approx(path["mutual_information_bits"][row])
        assert table[f"recall{name}"].mean() == pytest.approx(path["balanced_accuracy"][row])
    assert table["recall_adjusted"][2] > table["recall"][2]


def test_the_interval_of_the_gain_covers():
    truth = balanced_gain(skewed_outputs(1, 300_000), COUNTS, 1.0)[0]
    covered = []
    for seed in range(200):
        gain, low, high = balanced_gain(skewed_outputs(seed, 150), COUNTS, 1.0)
        covered.append(low <= truth <= high)
        assert low <= gain <= high
    assert 0.91 <= np.mean(covered) <= 0.99
    assert balanced_gain(skewed_outputs(), COUNTS, 0.0) == (0, 0, 0)
