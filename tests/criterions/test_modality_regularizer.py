import copy
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from autrainer_ext.criterions import ModalityRegularizedLoss, modality_distance, pair_mask
from autrainer_ext.runs import find_runs

BASE = "torch.nn.CrossEntropyLoss"
TABLE = pd.DataFrame(
    {
        "scene": ["bus", "bus", "park", "park", "bus", "park"],
        "device": ["a", "b", "a", "b", "a", None],
        "moment": [1, 1, 2, 2, 3, 3],
    }
)
TARGETS = torch.tensor([0, 0, 1, 1, 0, 1])


def make(**settings):
    return ModalityRegularizedLoss(**{"base": BASE, "modality": "device", "layer": "0"} | settings)


def data(table=TABLE):
    return SimpleNamespace(df_train=table, target_column="scene")


class Step:
    """Model with one hidden layer, and a training step as in the host's trainer."""

    def __init__(self, criterion, *, train=True):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double()
        self.model.train(train)
        self.features = torch.randn(6, 4, dtype=torch.float64)
        self.train_loader = [(self.features, TARGETS, torch.arange(6))]
        self.callback_manager = SimpleNamespace(register=lambda criterion: None)
        criterion.setup(data())
        criterion.cb_on_train_begin(self)
        criterion.cb_on_iteration_begin(self, 1)
        self.criterion = criterion

    def __call__(self, iteration=1, targets=TARGETS):
        for features, _, _ in self.train_loader:
            self.criterion.cb_on_step_begin(self, iteration, 0)
            return self.criterion(self.model(features), targets)


def expected_terms(step, criterion, groups=None):
    z = step.model[0](step.features)
    mask = pair_mask(TARGETS, torch.tensor([0, 1, 0, 1, 0, -1]), groups)
    return (
        nn.functional.cross_entropy(step.model(step.features), TARGETS),
        modality_distance(z, mask, criterion.distance),
        z,
    )


@pytest.mark.parametrize("distance", ["l1", "squared_l2", "cosine"])
@pytest.mark.parametrize("group", [None, "moment", ["scene", "moment"]])
def test_loss_of_a_training_step_is_the_sum_of_both_terms(distance, group):
    step = Step(make(weight=0.7, distance=distance, group=group))
    groups = torch.tensor([1, 1, 2, 2, 3, 3]) if group else None
    loss = step()
    base, regularizer, _ = expected_terms(step, step.criterion, groups)
    assert regularizer > 0
    torch.testing.assert_close(loss, base + 0.7 * regularizer)


def test_relative_distance_is_part_of_the_loss():
    step = Step(make(relative=True))
    loss = step()
    base, _, z = expected_terms(step, step.criterion)
    mask = pair_mask(TARGETS, torch.tensor([0, 1, 0, 1, 0, -1]))
    torch.testing.assert_close(loss, base + modality_distance(z, mask, relative=True))


def test_evaluation_gives_the_loss_of_the_base():
    step = Step(make(weight=5.0), train=False)
    base, _, _ = expected_terms(step, step.criterion)
    torch.testing.assert_close(step(), base)
    step.model.train()
    with torch.no_grad():
        torch.testing.assert_close(step(), base)


def test_copy_of_the_host_gives_losses_per_sample():
    criterion = make(weight=5.0)
    tracker = copy.deepcopy(criterion)
    tracker.reduction = "none"
    step = Step(criterion)
    outputs = step.model(step.features)
    losses = tracker(outputs, TARGETS)
    assert losses.shape == (6,)
    torch.testing.assert_close(losses.mean(), nn.functional.cross_entropy(outputs, TARGETS))
    assert criterion.reduction == criterion.base.reduction == "mean"


def test_weight_of_zero_changes_no_bit_and_still_watches():
    step = Step(make(weight=0.0))
    loss = step()
    loss.backward()
    found = [p.grad.clone() for p in step.model.parameters()]
    step.model.zero_grad()
    base, regularizer, _ = expected_terms(step, step.criterion)
    base.backward()
    assert torch.equal(loss, base)
    assert all(torch.equal(a, p.grad) for a, p in zip(found, step.model.parameters(), strict=True))
    assert step.criterion._rows[0]["distance"] == pytest.approx(regularizer.item())


def test_balanced_terms_pull_equally_hard_at_the_embedding():
    step = Step(make(weight=0.5, balance=True))
    loss = step()
    base, regularizer, z = expected_terms(step, step.criterion)
    logits = step.model[2](step.model[1](z))
    base = nn.functional.cross_entropy(logits, TARGETS)
    of_base, of_regularizer = (
        torch.autograd.grad(term, z, retain_graph=True)[0].norm() for term in (base, regularizer)
    )
    torch.testing.assert_close(loss, base + 0.5 * of_base / of_regularizer * regularizer)


def test_balance_leaves_pairs_alone_that_agree_already():
    step = Step(make(balance=True, distance="squared_l2"))
    step.features[:] = 1.0
    base, _, _ = expected_terms(step, step.criterion)
    assert torch.equal(step(), base)


def test_weight_grows_over_the_warm_up():
    step = Step(make(weight=2.0, warmup=4))
    for iteration in (1, 2, 4, 9):
        step(iteration)
    assert [row["weight"] for row in step.criterion._rows] == [0.5, 1.0, 2.0, 2.0]


def test_maps_are_flattened_or_averaged():
    output = torch.arange(24.0).reshape(2, 3, 2, 2)
    assert torch.equal(make()._embeddings(output), output.flatten(1))
    assert torch.equal(make(average=True)._embeddings(output), output.mean(dim=(2, 3)))
    for average in (False, True):
        assert torch.equal(
            make(average=average)._embeddings(output[:, :, 0, 0]), output[:, :, 0, 0]
        )


def test_two_forward_passes_on_a_batch_both_count():
    """As in sharpness-aware minimisation."""
    step = Step(make())
    first = step()
    second = step.criterion(step.model(step.features), TARGETS)
    assert torch.equal(first, second)
    assert len(step.criterion._rows) == 2


def test_soft_targets_are_refused_with_the_reason():
    step = Step(make())
    message = r"requires one class per sample, got targets of shape \(6, 2\).*MixUp, CutMix"
    with pytest.raises(ValueError, match=message):
        step(targets=nn.functional.one_hot(TARGETS, 2).double())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"modality": "microphone"},
            "Unknown column 'microphone' in the training table.*: scene, device, moment",
        ),
        ({"group": "minute"}, "Unknown column 'minute' in the training table"),
        ({"modality": "one"}, "No two training samples of the same scene differ in 'one'"),
        ({"modality": "none"}, "No two training samples of the same scene differ in 'none'"),
        ({"group": ["moment", "minute"]}, "Unknown column 'minute' in the training table"),
        (
            {"group": "alone"},
            "No two training samples of the same scene and alone differ in 'device'",
        ),
    ],
)
def test_columns_that_give_no_pair_are_rejected_before_training(settings, message):
    table = TABLE.assign(one="a", none=None, alone=range(6))
    criterion = make(**settings)
    with pytest.raises(ValueError, match=message):
        criterion.setup(data(TABLE if "Unknown" in message else table))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": -1}, "Argument 'weight' must not be negative, got -1"),
        ({"weight": math.nan}, "Argument 'weight' must not be negative, got nan"),
        ({"warmup": -2}, "Argument 'warmup' must not be negative, got -2"),
        ({"distance": "l2"}, "Unknown distance 'l2'.*l1, squared_l2, cosine"),
    ],
)
def test_impossible_settings_are_rejected(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_samples_of_unknown_group_make_no_pair():
    criterion = make(group="moment")
    criterion.setup(data(TABLE.assign(moment=[1, 1, None, None, None, None])))
    assert criterion._groups.tolist() == [0, 0, -1, -1, -1, -1]


def test_unknown_layer_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="Unknown layer 'head' in the model. Choose from: 0, 1, 2"):
        Step(make(layer="head"))


def test_recordings_on_two_devices_move_closer_over_training():
    step = Step(make(distance="squared_l2"))
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.05)
    distances = []
    for _ in range(60):
        optimizer.zero_grad()
        step().backward()
        optimizer.step()
        distances.append(step.criterion._rows[-1]["distance"])
    assert distances[-1] < 0.2 * distances[0]


CRITERIONS = {
    "Plain": "torch.nn.CrossEntropyLoss: {}",
    "Zero": "autrainer_ext.criterions.ModalityRegularizedLoss: "
    "{base: torch.nn.CrossEntropyLoss, modality: device, layer: stages, weight: 0}",
    "Siamese": "autrainer_ext.criterions.ModalityRegularizedLoss: "
    "{base: torch.nn.CrossEntropyLoss, modality: device, layer: stages, weight: 5, warmup: 2}",
}

CONTINUED = """
defaults: [modality, _self_]
iterations: 5
hydra:
  sweeper:
    params:
      +criterion@dataset.criterion: Siamese
      optimizer: Adam
"""
CURRICULUM = """
defaults:
  - _aucurriculum_train_
  - override dataset: Tiny
  - override model: CPMobile-5k
  - override optimizer: Adam
  - override curriculum: Curriculum
  - override curriculum/sampling: Original
  - override curriculum/scoring: Rows
  - override curriculum/pacing: Linear
  - _self_
results_dir: results
experiment_id: paced
iterations: 2
device: cpu
curriculum:
  _experiment_id: default
hydra:
  sweeper:
    params:
      +seed: 1
      +batch_size: 8
      +learning_rate: 0.01
      +criterion@dataset.criterion: Siamese
      curriculum.pacing.initial_size: 0.5
      curriculum.pacing.final_iteration: 0.8
"""


@pytest.fixture(scope="module")
def trained(tiny, command, tmp_path_factory):
    """Folder with runs of the tiny data set under each criterion, with Adam and with SAM."""
    folder = tmp_path_factory.mktemp("modality")
    for group in ("criterion", "dataset"):
        (folder / "conf" / group).mkdir(parents=True)
    for name, text in CRITERIONS.items():
        (folder / f"conf/criterion/{name}.yaml").write_text(text)
    dataset = (tiny / "conf/dataset/Tiny.yaml").read_text()
    chosen = "id: Tiny-${autrainer_ext.chosen:criterion@dataset.criterion}"
    (folder / "conf/dataset/Tiny.yaml").write_text(dataset.replace("id: Tiny", chosen))
    (folder / "data").symlink_to(tiny / "data")
    experiment = (tiny / "conf/plain.yaml").read_text().replace("experiment_id: plain", "")
    experiment = experiment.replace("  - override optimizer: Adam\n", "") + (
        "      +criterion@dataset.criterion: Plain,Zero,Siamese\n      optimizer: Adam,SAM-SGD\n"
    )
    (folder / "conf/modality.yaml").write_text(experiment + "experiment_id: default\n")
    (folder / "conf/continued.yaml").write_text(CONTINUED)
    command("autrainer", "train", "-cn", "modality", cwd=folder)
    command("autrainer", "train", "-cn", "continued", cwd=folder)
    return folder


def run(folder, criterion, optimizer):
    """The only matching run: a continued run replaces the one it started from."""
    runs = find_runs(folder / "results", "default")
    (found,) = (r for r in runs if r.name.startswith(f"Tiny-{criterion}_CPMobile-5k_{optimizer}_"))
    return found


def weights(run, checkpoint="epoch_3"):
    return torch.load(run.path / checkpoint / "model.pt", weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["Adam", "SAM-SGD"])
def test_training_with_weight_zero_is_bit_identical_and_with_another_is_not(trained, optimizer):
    plain, zero, siamese = (
        run(trained, criterion, optimizer) for criterion in ("Plain", "Zero", "Siamese")
    )
    assert all(torch.equal(w, weights(zero)[name]) for name, w in weights(plain).items())
    assert not all(torch.equal(w, weights(siamese)[name]) for name, w in weights(plain).items())
    for name in ("train_outputs", "train_losses", "dev_losses"):
        ours, host = (np.load(r.path / f"epoch_3/{name}.npy") for r in (zero, plain))
        assert np.array_equal(ours, host)


@pytest.mark.slow
def test_collapse_monitor_has_a_row_per_evaluation(trained):
    table = pd.read_csv(run(trained, "Siamese", "SAM-SGD").path / "modality.csv")
    assert table["iteration"].tolist() == [1, 2, 3]
    assert table["weight"].tolist() == [2.5, 5, 5]
    assert (table[["pairs", "distance", "between_class_variance"]] > 0).all(axis=None)
    zero = pd.read_csv(run(trained, "Zero", "SAM-SGD").path / "modality.csv")
    assert table["distance"].iloc[-1] < zero["distance"].iloc[-1]


@pytest.mark.slow
def test_continued_training_keeps_the_rows_it_started_from(trained):
    table = pd.read_csv(run(trained, "Siamese", "Adam").path / "modality.csv")
    assert table["iteration"].tolist() == [1, 2, 3, 4, 5]
    assert table["weight"].tolist() == [2.5, 5, 5, 5, 5]


@pytest.mark.slow
@pytest.mark.old_host
def test_base_criterion_is_called_back_too():
    from autrainer.training import CallbackManager

    class Base(nn.CrossEntropyLoss):
        called = ()

        def cb_on_train_begin(self, trainer):
            self.called += ("train",)

        def cb_on_step_begin(self, trainer, iteration, batch_idx):
            self.called += (iteration, batch_idx)

    criterion, manager = make(), CallbackManager()
    criterion.base = Base()
    manager.register(criterion)
    trainer = SimpleNamespace(model=nn.Sequential(nn.Linear(1, 1)), callback_manager=manager)
    manager.callback("cb_on_train_begin", trainer=trainer)
    manager.callback("cb_on_step_begin", trainer=trainer, iteration=4, batch_idx=7)
    assert criterion.base.called == ("train", 4, 7)
    assert criterion._iteration == 4


@pytest.mark.slow
@pytest.mark.old_host
def test_curriculum_compares_what_it_draws(trained, command):
    scores = pd.read_csv(trained / "data/train.csv")
    scores["encoded"], scores["ranks"] = pd.factorize(scores["scene"])[0], range(len(scores))
    (trained / "results/default/curriculum/Rows").mkdir(parents=True)
    scores.to_csv(trained / "results/default/curriculum/Rows/Rows.csv")
    (trained / "conf/curriculum/scoring").mkdir(parents=True)
    (trained / "conf/curriculum/scoring/Rows.yaml").write_text("{id: Rows, type: Rows}")
    (trained / "conf/curriculum.yaml").write_text(CURRICULUM)
    command("aucurriculum", "train", "-cn", "curriculum", cwd=trained)
    (folder,) = (trained / "results/paced/training").glob("*/")
    assert pd.read_csv(folder / "pace.csv")["dataset_size"].tolist() == [18, 29, 36]
    assert (pd.read_csv(folder / "modality.csv")["pairs"] > 0).all()


@pytest.mark.slow
def test_trained_model_needs_nothing_of_the_criterion(trained):
    from autrainer_ext.runs.load import load_model

    model = load_model(run(trained, "Siamese", "SAM-SGD").path)
    assert model(torch.zeros(1, 1, 24, 16)).shape == (1, 3)
    assert not model.stages._forward_hooks
