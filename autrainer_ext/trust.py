"""Model directories and runs of others: check what they name before it is imported or called.

A model directory describes its network and its transforms by import paths, and the hosts build
whatever is named there, also with the tags of YAML that call functions. Here every description is
first read as plain data. Only classes of known packages are accepted, and of these only kinds that
a model or data set consists of.
"""

import importlib.util
import os
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DESCRIPTIONS = (
    "model.yaml",
    "target_transform.yaml",
    "inference_transform.yaml",
    "file_handler.yaml",
    "preprocess_file_handler.yaml",
    "preprocess_pipeline.yaml",
)
SETTING = "AUTRAINER_EXT_TRUST"
_HOSTS = {"autrainer", "aucurriculum", "audobject"}
_KNOWN = _HOSTS | {"autrainer_ext", "torch", "torchaudio", "torchvision"}
_TRUSTED: set[str] = set()
_OBJECT = re.compile(r"\$?(?:[\w.-]+:)?(?P<path>[^\W\d]\w*(?:\.[^\W\d]\w*)+)(?:==.*)?")


def trust(*packages: str) -> None:
    """Allow descriptions to name anything in these packages, until the process ends.

    The environment variable `AUTRAINER_EXT_TRUST` holds more packages, separated by commas.

    Args:
        packages: Names of top-level packages, such as the one with the user's own networks.

    Example:
        >>> trust("my_networks")
    """
    _TRUSTED.update(packages)


def check_model_directory(directory: Path | str) -> None:
    """Check all descriptions in a run or model directory.

    Args:
        directory: Folder; files that are missing are not checked.

    Raises:
        ValueError: As `check_description`.

    Example:
        >>> check_model_directory("a folder without descriptions")
    """
    for name in DESCRIPTIONS:
        if (path := Path(directory, name)).is_file():
            check_description(path)


def load_description(path: Path) -> Any:  # noqa: ANN401  any object that a model consists of
    """Build the object that a file of a model directory describes, after a check.

    Args:
        path: YAML file written by audobject.

    Raises:
        ValueError: As `check_description`, or if the object cannot be built.

    Example:
        >>> load_description(Path("nowhere.yaml"))
        Traceback (most recent call last):
        ValueError: File 'nowhere.yaml' cannot be read: No such file or directory.
    """
    import audobject

    check_description(path)
    try:
        return audobject.from_yaml(str(path))
    except Exception as error:  # a constructor may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"The object in '{path}' cannot be built: {reason}") from error


def check_description(path: Path) -> None:
    """Check that a file of a model directory describes one known object.

    Args:
        path: YAML file written by audobject.

    Raises:
        ValueError: If the file is not plain YAML, or names anything but a network, transform,
            data set or similar class of the hosts, this package, torch, torchaudio, torchvision or
            a trusted package. The message names the file and the key.

    Example:
        >>> check_description(Path("nowhere.yaml"))
        Traceback (most recent call last):
        ValueError: File 'nowhere.yaml' cannot be read: No such file or directory.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"File '{path}' cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"File '{path}' is not plain YAML and is not loaded: {reason}") from error
    if not isinstance(content, dict) or len(content) != 1:
        raise ValueError(f"File '{path}' does not describe one object.")
    ((name, arguments),) = content.items()
    if not isinstance(arguments, dict):
        raise ValueError(f"File '{path}' does not state the arguments of '{name}'.")
    _check_name(name, str(path), "the first line", is_object=True)
    _check(arguments, str(path), "", set())


def check_configuration(config: Mapping[str, Any], source: Path) -> None:
    """Check the classes that a saved configuration would build.

    Args:
        config: Part of the configuration of a run.
        source: File of the configuration, for messages.

    Raises:
        ValueError: As `check_description`.

    Example:
        >>> check_configuration({"_target_": "torch.nn.ReLU"}, Path("config.yaml"))
    """
    _check(config, str(source), "", set())


def _check(value: object, source: str, key: str, seen: set[int]) -> None:
    """Check all keys and texts of nested data; parts that occur repeatedly are checked once."""
    if isinstance(value, str):
        is_object = key.rpartition(".")[2] == "_target_"
        _check_name(value, source, f"key '{key}'", is_object=is_object)
    elif isinstance(value, dict | list) and id(value) not in seen:
        seen.add(id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in items:
            place = f"{key}.{name}".lstrip(".")
            if isinstance(name, str):
                is_object = name.startswith("$")
                _check_name(name, source, f"key '{place}'", is_object=is_object)
            if name == "labels" and isinstance(inner, list):  # class names are never built
                inner = [label for label in inner if not isinstance(label, str)]
            _check(inner, source, place, seen)


def _check_name(name: object, source: str, place: str, *, is_object: bool) -> None:
    """Check a text that is, or could be, the import path of something that is called."""
    match = _OBJECT.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        if is_object:
            raise ValueError(f"File '{source}', {place}: '{name}' is not the path of a class.")
        return
    path = match["path"]
    package = path.partition(".")[0]
    if package in _TRUSTED | set(os.environ.get(SETTING, "").split(",")):
        return
    if package in _KNOWN:
        if not _is_known_kind(path, must_exist=is_object):
            raise ValueError(
                f"File '{source}', {place}: '{path}' is not a class that a model or data set "
                "consists of, and is not loaded."
            )
    elif is_object or _is_installed(package):
        raise ValueError(
            f"File '{source}', {place}: '{path}' is not loaded, because package '{package}' could "
            f"run any command. If you trust it, add --trust {package}."
        )


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # of a module without a specification, such as __main__
        return True


def _is_known_kind(path: str, *, must_exist: bool) -> bool:
    """Whether a path of a known package names a kind of class that models or data consist of."""
    import audobject
    import torch
    from autrainer.augmentations import AugmentationPipeline
    from autrainer.datasets import AbstractDataset
    from autrainer.metrics import AbstractMetric

    try:
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError):
        return not must_exist
    kinds = (
        audobject.Object,  # networks, transforms and file handlers of the hosts
        torch.nn.Module,
        AbstractDataset,
        AbstractMetric,
        AugmentationPipeline,
    )
    return isinstance(found, type) and issubclass(found, kinds)
