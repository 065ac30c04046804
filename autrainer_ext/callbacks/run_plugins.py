"""Post-processing plugins at the end of training."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import autrainer
import yaml

from autrainer_ext.compat import CallbackMixin
from autrainer_ext.configurations import find_configuration
from autrainer_ext.plugin import AbstractPlugin, load_plugin
from autrainer_ext.runs import read_run

if TYPE_CHECKING:
    from autrainer.training import ModularTaskTrainer

_LOG = logging.getLogger(__name__)


class RunPlugins(CallbackMixin):
    """Run plugins on a run as soon as its training ends.

    What they write goes to `RESULTS/EXPERIMENT/<folder of the plugin>/<name of the run>/`. A
    plugin that fails is a warning: the trained run is worth more than its figure. To be listed
    after the callbacks whose files the plugins read.

    Args:
        plugins: Plugins, each the dotted path of its class or a mapping from it to settings.
            Settings that are not given are those of `conf/plugin/CLASS.yaml`, if there is one.
    """

    def __init__(self, plugins: list[str | dict]) -> None:
        self.plugins = [_load(plugin) for plugin in plugins]

    def cb_on_train_end(self, trainer: "ModularTaskTrainer") -> None:
        """Run the plugins."""
        run = read_run(trainer.output_directory)
        for plugin in self.plugins:
            folder = Path(trainer.output_directory).parents[1] / plugin.folder / run.name
            try:
                folder.mkdir(parents=True, exist_ok=True)
                plugin.run([run], folder)
            except Exception as error:
                _LOG.warning("%s of '%s': %s", type(plugin).__name__, run.name, error)


def _load(plugin: str | dict) -> AbstractPlugin:
    """Load a plugin with the defaults of its configuration, if it has one."""
    path, settings = (plugin, {}) if isinstance(plugin, str) else next(iter(plugin.items()))
    name = path.rpartition(".")[2]
    file = find_configuration("plugin", name)
    if file is not None and yaml.safe_load(file.read_text()).get("_target_") == path:
        return load_plugin(name, settings)
    return autrainer.instantiate_shorthand(plugin, instance_of=object)
