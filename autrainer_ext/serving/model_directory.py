"""Model directories that `autrainer inference` serves."""

from pathlib import Path

import autrainer
import torch
from autrainer.datasets.utils import AbstractFileHandler, LabelEncoder
from autrainer.models import AbstractModel
from autrainer.transforms import SmartCompose
from omegaconf import OmegaConf

from autrainer_ext.atomic import atomic_folder


def write_model_directory(
    directory: Path | str,
    model: AbstractModel,
    class_names: list[str],
    preprocessing: Path | str,
    inference_transform: SmartCompose | None = None,
) -> None:
    """Write a network with all that turns an audio file into a prediction.

    The folder appears whole or not at all.

    Args:
        directory: Folder to make; it must not exist or be empty.
        model: Trained network.
        class_names: Name of every class, in the order of the outputs; host encoders sort them,
            so that they must be in ascending order.
        preprocessing: YAML file of a preprocessing configuration.
        inference_transform: Transforms between preprocessing and network. Default: none.

    Raises:
        FileExistsError: If the folder holds something.
        ValueError: If there is not one sorted name per class, or there is no such configuration.
    """
    if len(class_names) != model.output_dim:
        raise ValueError(f"{len(class_names)} class names for {model.output_dim} outputs.")
    if sorted(set(class_names)) != list(class_names):
        raise ValueError("Class names must be different and in ascending order.")
    file_handler, pipeline = _build_preprocessing(Path(preprocessing))
    objects = {
        "model.yaml": model,
        "target_transform.yaml": LabelEncoder(class_names),
        "inference_transform.yaml": inference_transform or SmartCompose([]),
        "file_handler.yaml": file_handler,
        "preprocess_file_handler.yaml": file_handler,
        "preprocess_pipeline.yaml": pipeline,
    }
    with atomic_folder(Path(directory)) as folder:
        for name, saved in objects.items():
            saved.to_yaml(str(folder / name))
        (folder / "_best").mkdir()
        torch.save(model.state_dict(), folder / "_best" / "model.pt")


def _build_preprocessing(path: Path) -> tuple[AbstractFileHandler, SmartCompose]:
    if not path.is_file():
        raise ValueError(f"Preprocessing configuration '{path}' does not exist.")
    config = OmegaConf.to_container(OmegaConf.load(path))
    file_handler = autrainer.instantiate_shorthand(
        config["file_handler"], instance_of=AbstractFileHandler
    )
    transforms = [autrainer.instantiate_shorthand(transform) for transform in config["pipeline"]]
    return file_handler, SmartCompose(transforms)
