import pandas as pd
import pytest

from autrainer_ext.explanation.evaluation import FLOORED, Explained
from autrainer_ext.explanation.fidelity import MEASURES
from autrainer_ext_plugins.fidelity.tables import (
    COLUMNS,
    SIZE_COLUMNS,
    ClipKey,
    describe_few_segments,
    read_table,
    score_table,
    size_table,
)


@pytest.fixture
def explained():
    scores = dict.fromkeys(MEASURES, 0.5) | {"completeness_gap": 0.0, "explains_nothing": False}
    numbers = ["kept_bins_share", "kept_sounding_share", "kept_energy_share", "n_segments"]
    numbers += ["floor_sounding_share", "floor_energy_share", "n_samples", "relative_error"]
    scores |= dict.fromkeys([*numbers, "agreement", *(f"{name}_floor" for name in FLOORED)], 0.5)
    row = {"explainer": "lime", "mask": "bin"} | scores
    curve = {"explainer": "lime", "kept_energy_share": 0.5}
    curve |= dict.fromkeys(["AD", "FidIn", "FF", "AD_floor", "FidIn_floor", "FF_floor"], 0.5)
    return Explained(
        prediction=1,
        confidence=0.9,
        attributions={},
        errors={},
        masks={},
        rows=[row, row],
        size_rows=[curve],
    )


@pytest.mark.parametrize(("target", "correct"), [("01", True), ("02", False)])
def test_scores_have_all_columns_and_class_names_stay_text(explained, tmp_path, target, correct):
    table = score_table(explained, ClipKey("m", "1", target, "01"))
    table.to_csv(tmp_path / "scores.csv", index=False)
    rows = read_table(tmp_path / "scores.csv")
    assert rows.columns.tolist() == COLUMNS
    assert rows["correct"].tolist() == [correct, correct]
    assert rows["noise"].tolist() == ["none", "none"]
    row = rows.iloc[0]
    assert (row["filename"], row["target"], row["prediction"]) == ("1", target, "01")


def test_correct_is_empty_without_a_target(explained):
    table = score_table(explained, ClipKey("m", "a", None, "b"))
    assert table["correct"].isna().all()


def test_curves_have_all_columns(explained):
    table = size_table(explained, ClipKey("m", "a", "b", "b"))
    assert table.columns.tolist() == SIZE_COLUMNS
    assert table["correct"].tolist() == [True]


def test_few_segments_are_told():
    rows = [
        {"run": "m", "filename": f"{i}.wav", "noise": "none", "explainer": name, "n_segments": n}
        for name, sizes in {
            "lime": [3, 9],
            "kernel_shap": [20, 8],
            "saliency": [None, None],
        }.items()
        for i, n in enumerate(sizes)
        for _mask in range(2)
    ]
    (line,) = describe_few_segments(pd.DataFrame(rows))
    assert line.startswith("lime has fewer than 8 segments in 1 of 2 clips")
