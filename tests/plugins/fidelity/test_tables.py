import pytest

from autrainer_ext.explanation.evaluation import Explained
from autrainer_ext.explanation.fidelity import MEASURES
from autrainer_ext_plugins.fidelity.tables import COLUMNS, read_table, score_table


@pytest.fixture
def explained():
    scores = dict.fromkeys(MEASURES, 0.5) | {"completeness_gap": 0.0, "explains_nothing": False}
    row = {"explainer": "lime", "mask": "bin"} | scores
    return Explained(prediction=1, confidence=0.9, attributions={}, masks={}, rows=[row, row])


@pytest.mark.parametrize(("target", "correct"), [("01", True), ("02", False)])
def test_scores_have_all_columns_and_class_names_stay_text(explained, tmp_path, target, correct):
    table = score_table(explained, run="m", filename="1", target=target, prediction="01")
    table.to_csv(tmp_path / "scores.csv", index=False)
    rows = read_table(tmp_path / "scores.csv")
    assert rows.columns.tolist() == COLUMNS
    assert rows["correct"].tolist() == [correct, correct]
    assert rows["noise"].tolist() == ["none", "none"]
    row = rows.iloc[0]
    assert (row["filename"], row["target"], row["prediction"]) == ("1", target, "01")


def test_correct_is_empty_without_a_target(explained):
    table = score_table(explained, run="m", filename="a", target=None, prediction="b")
    assert table["correct"].isna().all()
