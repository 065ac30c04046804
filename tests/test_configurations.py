"""Every configuration we ship can be used."""

import inspect
import re
from pathlib import Path

import autrainer
import hydra
import pytest
import torch
from autrainer.core.wrappers.main import AutrainerPathPlugin
from autrainer.models import AbstractModel
from autrainer.transforms import AbstractTransform
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

from autrainer_ext_plugins.plugin import load_plugin

CONF = Path(__file__).resolve().parents[1] / "conf"
FILES = sorted(CONF.rglob("*.yaml"))
# those of aucurriculum compose in its own process only and are run in test_end_to_end.py
EXPERIMENTS = sorted(
    path.stem for path in CONF.glob("ext_*.yaml") if "_aucurriculum_" not in path.read_text()
)
# not objects with an id: names in a folder of their own, or whole experiments
WITHOUT_ID = {"preprocessing", "criterion", "launcher"}


def of_group(group):
    paths = sorted((CONF / group).rglob("*.yaml"))
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


def load(path):
    return OmegaConf.to_container(OmegaConf.load(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_id_is_the_file_name(path):
    config = load(path)
    if path.parent == CONF or path.parent.name in WITHOUT_ID:
        return
    identifier = re.sub(r"-?\$\{.*\}", "", config["id"])
    assert path.stem == identifier or path.stem.startswith(identifier)
    assert "_" not in re.sub(r"\$\{.*\}", "", config["id"]), "run names are split at underscores"


@of_group("model")
def test_models_can_be_built(path):
    config = load(path)
    config.pop("transform")
    model = autrainer.instantiate(OmegaConf.create(config), AbstractModel, output_dim=3)
    assert model.eval()(torch.zeros(2, 1, 101, 64)).shape == (2, 3)


@of_group("preprocessing")
def test_front_ends_can_be_built(path):
    config = load(path)
    autrainer.instantiate_shorthand(config["file_handler"])
    transforms = [autrainer.instantiate_shorthand(t) for t in config["pipeline"]]
    assert all(isinstance(transform, AbstractTransform) for transform in transforms)


@of_group("criterion")
def test_criterions_can_be_built(path):
    criterion = autrainer.instantiate_shorthand(load(path), instance_of=torch.nn.modules.loss._Loss)
    assert criterion.reduction == "mean"


@of_group("augmentation")
def test_augmentations_can_be_built(path):
    from autrainer.augmentations import AugmentationManager

    train, _, _ = AugmentationManager(OmegaConf.load(path)).get_augmentations()
    assert train.transforms


@of_group("plugin")
def test_plugins_can_be_built(path):
    assert load_plugin(path.stem).folder.islower()


@of_group("dataset")
def test_data_sets_take_their_arguments(path):
    config = load(path)
    target = hydra.utils.get_class(config.pop("_target_"))
    for criterion in (config.pop("criterion"),):
        autrainer.instantiate_shorthand(criterion, instance_of=torch.nn.modules.loss._Loss)
    for metric in (*config["metrics"], config["tracking_metric"]):
        autrainer.instantiate_shorthand(metric)
    for name in ("id", "transform"):
        config.pop(name)
    known = set()
    for base in target.__mro__:
        known |= set(inspect.signature(base.__init__).parameters)
    assert set(config) <= known
    assert callable(target.download)


@pytest.fixture
def compose(tmp_path, monkeypatch):
    """Compose an experiment as a host does, with the first value of everything swept."""
    monkeypatch.chdir(tmp_path)
    GlobalHydra.instance().clear()
    Plugins.instance().register(AutrainerPathPlugin)

    def run(name):
        with hydra.initialize(config_path=None, version_base=None):
            overrides = [f"{key}={first_value(value)}" for key, value in swept(name).items()]
            return hydra.compose(name, overrides, return_hydra_config=True)

    yield run
    GlobalHydra.instance().clear()


def swept(name):
    """Parameters an experiment sweeps, with those of the experiments it builds on."""
    config = OmegaConf.load(CONF / f"{name}.yaml")
    parents = [p for p in config.defaults if isinstance(p, str) and (CONF / f"{p}.yaml").is_file()]
    own = OmegaConf.select(config, "hydra.sweeper.params") or {}
    return OmegaConf.to_container(OmegaConf.merge(*map(swept, parents), own))


def first_value(value):
    """First of the comma-separated values of a sweep; commas in brackets belong to a value."""
    value = str(value)
    depth = 0
    for position, letter in enumerate(value):
        depth += (letter in "[{(") - (letter in "]})")
        if letter == "," and depth == 0:
            return value[:position]
    return value


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_compose(compose, name):
    config = compose(name)
    for group in ("dataset", "model", "optimizer", "scheduler", "augmentation"):
        assert config[group]["id"]
    assert len(config.hydra.sweep.subdir.split("_")) == 10, config.hydra.sweep.subdir
    assert config.device == "cpu" or config.device.startswith("cuda")


def test_run_name_carries_the_criterion(compose):
    config = compose("ext_demo")
    assert config.dataset.id == "ToyScenes-CrossEntropy"
    assert config.hydra.sweep.subdir.startswith("ToyScenes-CrossEntropy_CPMobile-14k_")


def test_checkout_trains_the_demonstration(compose, monkeypatch):
    """`autrainer train` in the checkout; elsewhere the host's own default is served."""
    monkeypatch.chdir(CONF.parent)
    demo = OmegaConf.to_container(compose("ext_demo"), resolve=False)
    checkout = OmegaConf.to_container(compose("config"), resolve=False)
    assert {k: v for k, v in checkout.items() if k != "hydra"} == {
        k: v for k, v in demo.items() if k != "hydra"
    }
    assert checkout["hydra"]["sweeper"] == demo["hydra"]["sweeper"]


def test_name_of_a_choice_that_was_not_made_is_an_error():
    config = OmegaConf.create(
        {"id": "${autrainer_ext.chosen:model}", "hydra": {"runtime": {"choices": {"model": "A"}}}}
    )
    assert config.id == "A"
    config.hydra.runtime.choices = {}
    with pytest.raises(
        InterpolationResolutionError, match="No configuration is selected for 'model'"
    ):
        _ = config.id
