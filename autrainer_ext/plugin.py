"""Base class of post-processing plugins, and how a plugin is found and built by name."""

import inspect
import os
import pkgutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import hydra
import yaml
from hydra.errors import InstantiationException

from autrainer_ext.configurations import ConfigurationSource, find_configuration, sources
from autrainer_ext.errors import unknown_name
from autrainer_ext.serving.shards import Shards
from autrainer_ext.style import STYLE_SETTINGS, Style

if TYPE_CHECKING:
    from autrainer_ext.runs import Run

_TASK_NAMES = {
    "classification": "classification",
    "ml-classification": "multi-label classification",
    "regression": "regression",
}


class AbstractPlugin(ABC):
    """Analysis of the runs of an experiment. The constructor arguments are its settings.

    Attributes:
        folder: Name of the folder for the tables and figures, beside `training/`.
        tasks: Tasks whose runs the plugin can analyse, by their names in the host (see
            `autrainer_ext.runs.read_task`), or None for all.
        renamed: Old names of settings and their present names. `load_plugin` accepts both.
        shards: How the work is divided among processes, set by the command. Plugins that can be
            divided compute their results with `self.shards.map`.
        style: Style of the figures; draw them in `with self.style.applied():`. `load_plugin` sets
            it from the settings `column_width` and `font_size`, which every plugin has.
    """

    folder: ClassVar[str]
    tasks: ClassVar[tuple[str, ...] | None] = None
    renamed: ClassVar[dict[str, str]] = {}
    shards: Shards = Shards()
    style: Style = Style()

    @abstractmethod
    def run(self, runs: "Sequence[Run]", folder: Path) -> None:
        """Analyse runs and write tables and figures.

        Args:
            runs: Runs of one experiment, sorted by name; at least one.
            folder: Existing folder to write to. Files of earlier results are replaced one by
                one; other files in the folder are left alone.

        Raises:
            ValueError: If a run lacks something the analysis needs; the message names the run
                or file.
        """


def suitable_runs(plugin: AbstractPlugin, runs: "Sequence[Run]") -> "list[Run]":
    """Select the runs whose task a plugin can analyse.

    Args:
        plugin: Plugin.
        runs: Runs of one experiment, at least one.

    Returns:
        Runs in their order, at least one.

    Raises:
        ValueError: If there are none; the message names the task of the first run.
    """
    if plugin.tasks is None:
        return list(runs)
    from autrainer_ext.runs import read_task  # imported late: numpy slows down the help texts

    tasks = {run.name: read_task(run.path) for run in runs}
    suitable = [run for run in runs if tasks[run.name] in plugin.tasks]
    if not suitable:
        raise ValueError(
            f"Run '{runs[0].name}' is a run of {_TASK_NAMES[tasks[runs[0].name]]}: the analysis is "
            f"defined for {' and '.join(_TASK_NAMES[task] for task in plugin.tasks)} only."
        )
    return suitable


def load_plugin(
    name: str,
    overrides: Mapping[str, Any] | None = None,
    shared: Mapping[str, Any] | None = None,
) -> AbstractPlugin:
    """Build a plugin from its configuration `plugin/NAME.yaml` or from the path of its class.

    A configuration in the user's `conf/plugin/` takes precedence over a shipped one; settings of a
    shipped plugin that it leaves out have their shipped values.

    Args:
        name: Name of a configuration, or dotted path of a class. A path selects the
            configuration whose `_target_` is that class. Without one, the class is built from
            `overrides` alone.
        overrides: Settings that replace those of the configuration.
        shared: Settings of several plugins, such as `device`, that replace those of the
            configuration if the plugin has them.

    Raises:
        ValueError: If the plugin or a setting does not exist, a setting has a wrong value or is
            given under its old and its present name, or the class is not a plugin.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # the user's own modules, as the host does for training
    path = find_configuration("plugin", name)
    if path is None and "." in name:
        path = _find_configuration_of_class(name)
    elif path is None:
        raise unknown_name("plugin", name, plugin_names())
    label = f"{name} ('{path}')" if path else name
    config = _read(path) if path else {"_target_": name}
    plugin_class = _import_class(config.get("_target_"), label)
    defaults = _shipped_settings(plugin_class)
    config = defaults | _with_present_names(config, plugin_class.renamed, name)
    for key in ("id", "automatic"):
        config.pop(key, None)
    overrides = _with_present_names(overrides or {}, plugin_class.renamed, name)
    known = (*inspect.signature(plugin_class).parameters, *STYLE_SETTINGS)
    overrides = {key: value for key, value in (shared or {}).items() if key in known} | overrides
    settings = config | overrides
    for setting, value in settings.items():
        if setting not in (*known, "_target_"):
            raise unknown_name(f"{name} setting", setting, known)
        if isinstance(value, str) and isinstance(defaults.get(setting), list):
            raise ValueError(f"{label}: Setting '{setting}' must be a list, got '{value}'.")
    style = Style(**{key: settings.pop(key) for key in STYLE_SETTINGS if key in settings})
    try:
        plugin = hydra.utils.instantiate(settings)
    except InstantiationException as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"{label}: {reason}") from error
    plugin.style = style
    return plugin


def plugin_names(*, automatic: bool = False) -> list[str]:
    """List the names of all plugin configurations, the user's and the shipped ones.

    No plugin is imported.

    Args:
        automatic: Whether to list only configurations with `automatic: true`, which run whenever
            an experiment is post-processed. A configuration of the user that leaves the setting out
            has that of the shipped configuration it replaces.
    """
    paths = _configurations()
    return [name for name in paths if not automatic or _is_automatic(name, paths[name])]


def _is_automatic(name: str, path: Path) -> bool:
    config = _read(path)
    shipped = find_configuration("plugin", name, _shipped_sources())
    replaced = {} if shipped is None else _read(shipped)
    if replaced.get("_target_") == config.get("_target_"):
        config = replaced | config
    return bool(config.get("automatic"))


def _configurations() -> dict[str, Path]:
    """Path of the configuration of every plugin, sorted by name."""
    names = sorted({name for source in sources() for name in source.names("plugin")})
    found = {name: find_configuration("plugin", name) for name in names}
    return {name: path for name, path in found.items() if path}


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"Configuration '{path}' is not valid YAML: {reason}") from error
    if not isinstance(config, dict):
        raise ValueError(f"Configuration '{path}' must be a mapping of settings.")
    return config


def _find_configuration_of_class(name: str) -> Path | None:
    """Find the configuration of the class at a dotted path; its `_target_` may be another path.

    If several configurations build the class, the one named like the class takes precedence,
    then the first by name.
    """
    plugin_class = _import_class(name, name)
    class_name = name.rpartition(".")[2]
    paths = _configurations()
    for candidate in sorted(paths, key=lambda other: (other != class_name, other)):
        target = str(_read(paths[candidate]).get("_target_"))
        is_namesake = target.rpartition(".")[2] == class_name
        if is_namesake and _import_class(target, candidate) is plugin_class:
            return paths[candidate]
    return None


def _shipped_settings(plugin_class: type[AbstractPlugin]) -> dict[str, Any]:
    """Settings of the shipped configuration of a class, or of the class it inherits from."""
    for base in plugin_class.__mro__:
        path = find_configuration("plugin", base.__name__, _shipped_sources())
        if path is not None and _import_class(_read(path).get("_target_"), str(path)) is base:
            return _read(path)
    return {}


def _shipped_sources() -> list[ConfigurationSource]:
    return [source for source in sources() if source.name == "autrainer-ext"]


def _import_class(path: str | None, label: str) -> type[AbstractPlugin]:
    if not path:
        raise ValueError(f"{label}: The dotted path of a class is missing ('_target_').")
    try:
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{label}: Cannot import '{path}': {reason}.") from error
    if not (isinstance(found, type) and issubclass(found, AbstractPlugin)):
        raise ValueError(
            f"{label}: Class {path.rpartition('.')[2]} is not a plugin: "
            "it does not inherit from AbstractPlugin."
        )
    return found


def _with_present_names(
    settings: Mapping[str, Any], renamed: Mapping[str, str], name: str
) -> dict[str, Any]:
    """Settings with old names replaced by the present ones."""
    for old, new in renamed.items():
        if old in settings and new in settings:
            raise ValueError(
                f"Settings '{old}' and '{new}' of {name} are the same: "
                f"'{old}' is the old name. Give '{new}' only."
            )
    return {renamed.get(key, key): value for key, value in settings.items()}
