import pytest
import torch

from autrainer_ext.explanation.size_curves import SHARES, size_curves

BASELINE = -2.0


def logits(features):
    """The logit is the sum of the levels."""
    total = (features - BASELINE).sum((1, 2, 3)) / 10
    return torch.stack([total, torch.zeros_like(total)], 1)


def probability(level):
    return float(torch.tensor([level / 10, 0.0]).double().softmax(0)[0])


@pytest.fixture
def features():
    return BASELINE + torch.arange(1, 21, dtype=torch.float32).reshape(1, 1, 4, 5)


def test_curves_are_those_of_the_formulas(features):
    level = (features - BASELINE).flatten()
    found = size_curves(logits, features, torch.tensor([0]), features, baseline=BASELINE)
    assert found.shares.tolist() == list(SHARES)
    f = probability(float(level.sum()))
    for i, share in enumerate(SHARES):
        kept, most = 0.0, share * float(level.sum())
        for value in level.flip(0).tolist():  # the highest attribution first
            if kept + value > most + 1e-6:
                break
            kept += value
        f_in, f_out = probability(kept), probability(float(level.sum()) - kept)
        assert float(found.scores["AD"][i]) == pytest.approx(100 * (f - f_in) / f, abs=1e-3)
        assert float(found.scores["FF"][i]) == pytest.approx(f - f_out, abs=1e-6)
        assert float(found.scores["FidIn"][i]) == 1


def test_no_part_is_larger_than_its_share(features):
    sizes = []

    def record(inputs):
        sizes.append((inputs - BASELINE).sum((1, 2, 3)))
        return logits(inputs)

    order = torch.rand(features.shape, generator=torch.Generator().manual_seed(0))
    shares = [0.3, 0.6, 0.9]
    size_curves(record, features, torch.tensor([0]), order, baseline=BASELINE, shares=shares)
    _whole, *parts = (torch.cat(sizes) / (features - BASELINE).sum()).tolist()
    for share, kept, removed in zip(shares, parts[::2], parts[1::2], strict=True):
        assert share - 20 / 210 < kept <= share + 1e-6  # the loudest bin holds 20 of 210
        assert kept + removed == pytest.approx(1, abs=1e-5)


def test_explanation_that_only_names_loud_bins_gains_nothing_at_equal_size():
    """The network adds up levels, so any bins of equal level are as good."""
    generator = torch.Generator().manual_seed(0)
    level = torch.rand(1, 1, 40, 50, generator=generator)

    def loudness(inputs):
        share = 5 * (inputs - BASELINE).sum((1, 2, 3)) / level.sum()
        return torch.stack([share, torch.zeros_like(share)], 1)

    order = torch.rand(level.shape, generator=generator)
    loud, other = (
        size_curves(loudness, BASELINE + level, torch.tensor([0]), each, baseline=BASELINE)
        for each in (level, order)
    )
    for name, scale in (("AD", 100), ("FF", 1)):
        difference = (loud.scores[name] - other.scores[name]).abs()
        assert float(difference.max()) < 0.005 * scale
