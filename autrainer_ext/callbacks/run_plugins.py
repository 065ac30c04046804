"""Callback that runs post-processing plugins at the end of training."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
from omegaconf import OmegaConf

from autrainer_ext.compat import CallbackMixin
from autrainer_ext.plugin import AbstractPlugin, load_plugin, suitable_runs
from autrainer_ext.runs import read_run
from autrainer_ext.trust import trust

if TYPE_CHECKING:
    from autrainer.training import ModularTaskTrainer

_LOG = logging.getLogger(__name__)


class RunPlugins(CallbackMixin):
    """Run plugins on a run as soon as its training ends.

    Tables and figures are written to `RESULTS/EXPERIMENT/<folder of the plugin>/<run name>/`. If
    a plugin fails, a warning is logged and training still succeeds. List this callback after
    those whose files the plugins read.

    Args:
        plugins: Plugins to run: a name or dotted class path, as for `load_plugin`, or a mapping
            with such a name as its only key and settings that replace those of its
            configuration, as `{EntropyTriangle: {every: 5}}`.

    Raises:
        ValueError: If a plugin or a setting does not exist, or a class is not a plugin.
    """

    def __init__(self, plugins: list[str | dict[str, Any]]) -> None:
        super().__init__()
        self.plugins = [_load(plugin) for plugin in plugins]

    def cb_on_train_end(self, trainer: "ModularTaskTrainer") -> None:
        """Run the plugins on the finished run."""
        super().cb_on_train_end(trainer)
        # this training has run the code of its own model and data set already
        for part in (trainer.model, trainer.data):
            trust(type(part).__module__.partition(".")[0])
        run = dataclasses.replace(read_run(trainer.output_directory), has_ended=True)
        for plugin in self.plugins:
            folder = Path(trainer.output_directory).parents[1] / plugin.folder / run.name
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with mpl.rc_context():
                    mpl.rcdefaults()  # the host has set its own style for its plots
                    plugin.run(suitable_runs(plugin, [run]), folder)
            except Exception as error:
                _LOG.warning("%s of '%s': %s", type(plugin).__name__, run.name, error)


def _load(plugin: str | Mapping[str, Any]) -> AbstractPlugin:
    if OmegaConf.is_config(plugin):
        plugin = cast("dict[str, Any]", OmegaConf.to_container(plugin, resolve=True))
    if isinstance(plugin, str):
        return load_plugin(plugin)
    if len(plugin) != 1:
        raise ValueError(
            "A plugin must be a name or a mapping from one name to its settings, "
            f"got {dict(plugin)}."
        )
    ((name, settings),) = plugin.items()
    return load_plugin(name, settings)
