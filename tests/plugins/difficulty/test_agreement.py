import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

pytestmark = pytest.mark.slow


def test_agreement_is_between_what_the_runs_differ_in(output, project):
    table = pd.read_csv(output / "agreement.csv")
    assert table["of"].tolist() == ["seed", "all pairs", "classes and test", "pair"]
    hits = []
    for run in project[1]:
        path = project[0] / "results/clean/training" / run.name
        hits.append(
            sum(
                np.load(path / f"epoch_{e}/traineval_outputs.npy").argmax(axis=1)
                == np.load(path / f"epoch_{e}/traineval_targets.npy")
                for e in (1, 2, 3)
            )
        )
    assert table["spearman"][0] == pytest.approx(spearmanr(*hits).statistic, rel=1e-6)
    assert table["spearman_low"][0] < table["spearman"][0] < table["spearman_high"][0]
    assert (table["first"][3], table["second"][3]) == tuple(run.name for run in project[1])
    sizes = pd.read_csv(output / "ensembles.csv")
    assert sizes["size"].tolist() == [1, 2]
    assert sizes["disjoint"][0] == pytest.approx(table["spearman"][0], rel=1e-6)
