import pandas as pd
import pytest
import yaml

from autrainer_ext.runs import read_run
from autrainer_ext_plugins.run_columns import criterion_name, with_run_columns


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ({"id": "Toy-CrossEntropy", "criterion": "a.B"}, "CrossEntropy"),
        ({"id": "Toy-BalancedCrossEntropy", "criterion": "a.B"}, "BalancedCrossEntropy"),
        ({"id": "Toy", "criterion": "torch.nn.CrossEntropyLoss"}, "CrossEntropyLoss"),
        ({"id": "Toy", "criterion": {"a.FocalLoss": {"gamma": 2.0}}}, "FocalLoss(gamma=2.0)"),
        ({"id": "Toy", "criterion": {"a.FocalLoss": {}}}, "FocalLoss"),
        ({"id": "Toy", "criterion": {"_target_": "a.F", "b": 1, "c": 2}}, "F(b=1, c=2)"),
    ],
)
def test_criterion_is_named(tmp_path, dataset, name):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra/config.yaml").write_text(yaml.safe_dump({"dataset": dataset}))
    assert criterion_name(read_run(tmp_path)) == name


def test_runs_are_described_by_their_parts(tmp_path):
    runs = []
    for name, dataset in (("one", "Toy-CrossEntropy"), ("two", "Toy-Focal")):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        config = {"seed": 3, "model": {"id": "Net"}, "dataset": {"id": dataset, "criterion": "a.B"}}
        (tmp_path / name / ".hydra/config.yaml").write_text(yaml.safe_dump(config))
        runs.append(read_run(tmp_path / name))
    table = pd.DataFrame(
        {"value": [1, 2, 3], "run": ["two", "one", "gone"], "model": ["", "", "Old"]}
    )
    described = with_run_columns(table, runs)
    assert described.columns.tolist() == ["run", "model", "criterion", "seed", "value"]
    assert described["model"].tolist() == ["Net", "Net", "Old"]
    assert described["criterion"].tolist()[:2] == ["Focal", "CrossEntropy"]
    assert described["value"].tolist() == [1, 2, 3]
    again = with_run_columns(described, runs, seed="training_seed")
    assert again.columns.tolist()[:4] == ["run", "model", "criterion", "training_seed"]
    (tmp_path / "two/.hydra/config.yaml").write_text("dataset: {id: Other-Focal, criterion: a.B}")
    several = with_run_columns(table, [runs[0], read_run(tmp_path / "two")])
    assert several["dataset"].tolist()[:2] == ["Other", "Toy"]
