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
    size_curves(record, features, torch.tensor([0]), order, baseline=BASELINE)
    kept = torch.cat(sizes)[1::2] / (features - BASELINE).sum()
    assert (kept <= torch.tensor(SHARES) + 1e-6).all() or len(kept) != len(SHARES)
    assert float(kept.max()) <= 1


def test_explanation_that_only_names_loud_bins_gains_nothing_at_equal_size(features):
    """The network adds up levels, so any bins of equal level are as good."""
    order = torch.rand(features.shape, generator=torch.Generator().manual_seed(0))
    loud, other = (
        size_curves(logits, features, torch.tensor([0]), each, baseline=BASELINE)
        for each in (features, order)
    )
    difference = (loud.scores["AD"] - other.scores["AD"]).abs()
    assert float(difference.max()) < 4  # a part ends up to one bin below its share
