"""What int8 changes: known differences are found, equal networks have none."""

import numpy as np
import pandas as pd
import pytest
import torch

from autrainer_ext.export.effects import (
    PairedOutputs,
    explanation_differences,
    paired_differences,
)


def test_differences_are_paired_by_recording_and_stratum():
    targets = np.array([0, 0, 1, 1] * 5)
    before = 4.0 * np.eye(2)[targets]
    after = before.copy()
    after[0] = after[0, ::-1]  # one recording of device a becomes wrong
    strata = pd.DataFrame({"device": ["a", "b"] * 10})
    table = paired_differences(PairedOutputs(before, after, targets), strata)
    found = table[table["measure"] == "accuracy"].set_index("stratum")
    assert found["difference"].to_dict() == pytest.approx({"all": -1 / 20, "a": -1 / 10, "b": 0})
    assert found["agreement"].to_dict() == pytest.approx({"all": 0.95, "a": 0.9, "b": 1.0})
    assert (found["low"] < found["difference"]).all()
    assert found.loc["b", "low"] == -found.loc["b", "high"] < 0


def test_equal_networks_have_equal_explanations():
    torch.manual_seed(0)
    weights = torch.randn(10 * 8, 3)

    def network(features):
        return features.flatten(1) @ weights

    clips = [torch.rand(1, 1, 10, 8) for _ in range(3)]
    same = explanation_differences(network, network, clips, baseline=0.0).set_index("measure")
    assert same.loc["rank_correlation", "difference"] == pytest.approx(1)
    assert (same["difference"].drop("rank_correlation") == 0).all()
    other = explanation_differences(network, lambda x: -network(x), clips, baseline=0.0)
    assert other.set_index("measure").loc["rank_correlation", "difference"] < 0.9
