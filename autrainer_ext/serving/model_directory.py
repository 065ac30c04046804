"""Write model directories for `autrainer inference`."""

import io
from pathlib import Path
from typing import Any, cast

import autrainer
import torch
from autrainer.datasets.utils import AbstractFileHandler, LabelEncoder
from autrainer.models import AbstractModel
from autrainer.transforms import SmartCompose
from omegaconf import OmegaConf

from autrainer_ext.atomic import atomic_folder
from autrainer_ext.errors import unknown_name


def write_model_directory(
    directory: Path | str,
    model: AbstractModel,
    class_names: list[str],
    preprocessing: Path | str,
    inference_transform: SmartCompose | None = None,
) -> None:
    """Write a network and its front end as a model directory.

    The folder appears complete or not at all.

    Args:
        directory: Folder to create; it must be missing or empty.
        model: Trained network.
        class_names: Name of each class in the order of the outputs, in ascending order (the label
            encoder of the host sorts them).
        preprocessing: YAML file of a preprocessing configuration.
        inference_transform: Transforms between preprocessing and network. Default: none.

    Raises:
        FileExistsError: If the folder is not empty.
        ValueError: If the class names are not sorted, unique and as many as the outputs of the
            network, or the preprocessing configuration does not exist.
    """
    if len(class_names) != model.output_dim:
        raise ValueError(
            f"Got {len(class_names)} class names for {model.output_dim} outputs of the network."
        )
    if sorted(set(class_names)) != list(class_names):
        raise ValueError(
            f"Class names must be different and in ascending order, got {class_names}."
        )
    file_handler, pipeline = build_preprocessing(Path(preprocessing))
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
        save_tensors(model.state_dict(), folder / "_best" / "model.pt")


def save_tensors(content: object, path: Path) -> None:
    """Save tensors as PyTorch does.

    On a full disk, `torch.save` raises errors that name neither the file nor the reason.

    Args:
        content: Tensor, or weights of a network.
        path: File to create.

    Raises:
        OSError: If the file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getbuffer())


def build_preprocessing(path: Path) -> tuple[AbstractFileHandler, SmartCompose]:
    """Build the file handler and the transforms of a preprocessing configuration.

    Args:
        path: YAML file of the configuration.

    Raises:
        ValueError: If the file does not exist.
    """
    if not path.is_file():
        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise unknown_name(
            "preprocessing configuration", path.stem, known, where=f"'{path.parent}'"
        )
    config = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(path)))
    file_handler = autrainer.instantiate_shorthand(
        config["file_handler"], instance_of=AbstractFileHandler
    )
    transforms = [autrainer.instantiate_shorthand(transform) for transform in config["pipeline"]]
    return file_handler, SmartCompose(transforms)
