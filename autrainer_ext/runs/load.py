"""Load the data set and the network of a saved run.

Importing this module imports the training code of the host.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import autrainer
import torch
from autrainer.augmentations import AugmentationManager
from autrainer.core.utils import set_seed
from autrainer.datasets import AbstractDataset
from autrainer.models import AbstractModel
from autrainer.transforms import TransformManager
from omegaconf import DictConfig, OmegaConf

from autrainer_ext.compat import batch_sizes
from autrainer_ext.trust import check_configuration, load_description

from .run import Run

_OF_TRAINER = {"transform", *(f"{split}_loader_kwargs" for split in ("train", "dev", "test"))}


@dataclass(frozen=True)
class LoadedRun:
    """Data set and network of a run.

    Attributes:
        config: Configuration of the run.
        data: Data set with its three splits and their transforms.
        model: Network in evaluation mode, on the CPU.
    """

    config: DictConfig
    data: AbstractDataset
    model: AbstractModel


def load_run(run: Run, checkpoint: str = "_best") -> LoadedRun:
    """Load the data set and the network of a run.

    Sets the global random seeds as at the start of training. Relative paths of the data set start
    at the working directory, which must be the one the run was trained from.

    Args:
        run: The run.
        checkpoint: Folder with the weights in the run: "_best", "_initial" or "epoch_3".

    Returns:
        Data set and network.

    Raises:
        ValueError: If the checkpoint does not exist or the data cannot be found.
    """
    data = load_data(run)
    return LoadedRun(_configuration(run), data, load_model(run.path, checkpoint))


def load_data(run: Run) -> AbstractDataset:
    """Build the data set of a run from its configuration.

    Sets the global random seeds as at the start of training. Relative paths of the data set start
    at the working directory, which must be the one the run was trained from.

    Args:
        run: The run.

    Returns:
        Data set with its three splits and their transforms.

    Raises:
        ValueError: If the data cannot be found, or the configuration names anything but known
            classes.
    """
    config = _configuration(run)
    config.dataset.pop("criterion", None)
    for part in ("dataset", "augmentation", "model.transform"):
        content = OmegaConf.select(config, part, default={})
        plain = OmegaConf.to_container(content) if OmegaConf.is_config(content) else content
        check_configuration({part.rpartition(".")[2]: plain}, run.path / ".hydra" / "config.yaml")
    seeds = [int(seed) for seed in str(config.seed).split("-")]
    set_seed(seeds[0])
    augmentations = AugmentationManager(config.augmentation).get_augmentations()
    train, dev, test = TransformManager(
        OmegaConf.select(config, "model.transform", default={}),
        OmegaConf.select(config, "dataset.transform", default={}),
        *augmentations,
    ).get_transforms()
    arguments = {key: value for key, value in config.dataset.items() if key not in _OF_TRAINER}
    return autrainer.instantiate(
        OmegaConf.create(arguments),
        AbstractDataset,
        train_transform=train,
        dev_transform=dev,
        test_transform=test,
        seed=seeds[-1],
        **batch_sizes(config.batch_size, config.inference_batch_size),
    )


def _configuration(run: Run) -> DictConfig:
    return cast("DictConfig", OmegaConf.load(run.path / ".hydra" / "config.yaml"))


def load_model(directory: Path | str, checkpoint: str = "_best") -> AbstractModel:
    """Load the network of a run or model directory.

    Args:
        directory: Run or model directory.
        checkpoint: Folder with the weights in that directory.

    Returns:
        Network in evaluation mode, on the CPU.

    Raises:
        ValueError: If a file is missing or the weights do not fit the network.
    """
    description = Path(directory) / "model.yaml"
    weights = Path(directory) / checkpoint / "model.pt"
    for path in (description, weights):
        if not path.is_file():
            raise ValueError(f"File '{path}' of the model does not exist.")
    model = load_description(description)
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except RuntimeError as error:
        raise ValueError(
            f"Weights '{weights}' do not fit the network in '{description}'."
        ) from error
    return model.eval()
