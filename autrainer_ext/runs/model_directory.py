"""Model directories that `autrainer inference` serves."""

import shutil
import tempfile
from pathlib import Path

import autrainer
import torch
from autrainer.datasets.utils import AbstractFileHandler, LabelEncoder
from autrainer.models import AbstractModel
from autrainer.transforms import SmartCompose
from omegaconf import OmegaConf


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
        ValueError: If the folder holds something, there is not one sorted name per class, or
            the configuration cannot be read.
    """
    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ValueError(f"'{directory}' exists and is not an empty folder.")
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
    directory.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        for name, saved in objects.items():
            saved.to_yaml(str(beside / name))
        (beside / "_best").mkdir()
        torch.save(model.state_dict(), beside / "_best" / "model.pt")
        beside.chmod(0o755)
        beside.replace(directory)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _build_preprocessing(path: Path) -> tuple[AbstractFileHandler, SmartCompose]:
    if not path.is_file():
        raise ValueError(f"Preprocessing configuration '{path}' does not exist.")
    config = OmegaConf.to_container(OmegaConf.load(path))
    file_handler = autrainer.instantiate_shorthand(
        config["file_handler"], instance_of=AbstractFileHandler
    )
    transforms = [autrainer.instantiate_shorthand(transform) for transform in config["pipeline"]]
    return file_handler, SmartCompose(transforms)
