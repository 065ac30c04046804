import pytest
import yaml

from autrainer_ext.runs import read_run
from autrainer_ext_plugins.run_columns import criterion_name


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
