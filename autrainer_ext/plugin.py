"""Post-processing plugins: what they are and how they are found."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import hydra
import yaml
from hydra.errors import InstantiationException

from autrainer_ext.configurations import find_configuration, sources
from autrainer_ext.errors import unknown_name

if TYPE_CHECKING:
    from autrainer_ext.runs import Run


class AbstractPlugin(ABC):
    """An analysis of the runs of an experiment. Its settings are its constructor arguments.

    Attributes:
        folder: Name of the folder for its tables and figures, beside `training/`.
    """

    folder: ClassVar[str]

    @abstractmethod
    def run(self, runs: "Sequence[Run]", folder: Path) -> None:
        """Analyse runs and write tables and figures.

        Args:
            runs: Runs of one experiment, by name; at least one.
            folder: Existing folder to write to. It may hold earlier results, which are replaced
                file by file, and files of the user, which are left alone.

        Raises:
            ValueError: If something a run lacks is needed; the message names the run or file.
        """


def load_plugin(name: str, overrides: dict | None = None) -> AbstractPlugin:
    """The plugin that `plugin/NAME.yaml` describes, the user's own first.

    Args:
        name: Name of the configuration.
        overrides: Settings that take the place of those in the file.

    Raises:
        ValueError: If there is no such plugin, a setting does not exist or has a wrong value.
    """
    path = find_configuration("plugin", name)
    if path is None:
        raise unknown_name("plugin", name, plugin_names())
    config = yaml.safe_load(path.read_text())
    for key in ("id", "automatic"):
        config.pop(key, None)
    unknown = sorted(set(overrides or {}) - set(config))
    if unknown:
        settings = [key for key in config if not key.startswith("_")]
        raise unknown_name(f"setting of {name}", unknown[0], settings)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # modules of the user, as the host does for training
    try:
        plugin = hydra.utils.instantiate(config | (overrides or {}))
    except InstantiationException as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"{name} ('{path}'): {reason}") from error
    if not isinstance(plugin, AbstractPlugin):
        raise ValueError(f"'{path}' is no plugin: {type(plugin).__name__} is no AbstractPlugin.")
    return plugin


def plugin_names(*, automatic: bool = False) -> list[str]:
    """Names of all plugins, the user's and ours, read without importing them.

    Args:
        automatic: Whether to name those only whose configuration says `automatic: true`: they
            run whenever an experiment is post-processed.
    """
    names = sorted({name for source in sources() for name in source.names("plugin")})
    return [name for name in names if not automatic or _is_automatic(name)]


def _is_automatic(name: str) -> bool:
    return bool(yaml.safe_load(find_configuration("plugin", name).read_text()).get("automatic"))
