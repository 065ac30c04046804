"""Puts the configurations of autrainer_ext on the search path of every autrainer command.

Only Hydra and the standard library are imported here: Hydra discovers this module in every
application of the environment, also in those that have nothing to do with autrainer.
"""

import os
import sys
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf


def configuration_directory() -> Path:
    """Folder of the shipped configurations: in the wheel, or at the root of the checkout."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "autrainer_ext" / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


class ShippedConfigSource(FileConfigSource):
    """Folder of configurations that never answers for the default experiment of a host.

    The checkout holds a `config.yaml`, the experiment of whoever works in it. Served from
    another working directory it would replace the default experiment of autrainer.
    """

    HIDDEN = ("config.yaml", "curriculum.yaml")

    @staticmethod
    def scheme() -> str:
        """Prefix of the search path entries answered by this source."""
        return "autrainer-ext"

    def is_config(self, config_path: str) -> bool:
        """Whether `config_path` is a shipped configuration."""
        hidden = self._normalize_file_name(config_path) in self.HIDDEN
        return not hidden and super().is_config(config_path)


class AutrainerExtSearchPathPlugin(SearchPathPlugin):
    """Search path: the user's `conf/` first, then ours, then those of the hosts."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the user's and our configurations.

        The hosts append their own later, so that appending ours alone would put them in
        front of the user's.

        Args:
            search_path: Search path of the starting application.
        """
        if "autrainer" not in sys.modules:
            return
        user = _user_directory()
        if user is not None:
            search_path.append("autrainer-ext-current", f"file://{user}")
        search_path.append(
            "autrainer-ext", f"{ShippedConfigSource.scheme()}://{configuration_directory()}"
        )


def chosen(group: str, _root_: DictConfig) -> str:
    """Name of the configuration chosen for a group, for use within configurations.

    Hydra's own `hydra:runtime.choices` exists in a running job only; the sweeper of the hosts
    composes run names before that.

    Args:
        group: Group as written on the command line, such as `criterion@dataset.criterion`.

    Returns:
        File name of the choice, without `.yaml`.

    Raises:
        ValueError: If nothing is chosen for the group.
    """
    hydra = _root_.get("hydra") or HydraConfig.get()
    if group not in hydra.runtime.choices:
        raise ValueError(f"nothing is chosen for '{group}': add '+{group}=NAME'.")
    return hydra.runtime.choices[group]


OmegaConf.register_new_resolver("autrainer_ext.chosen", chosen, replace=True)


def _user_directory() -> str | None:
    """Folder of the user's configurations, as the installed host resolves it."""
    try:  # autrainer >= 0.10 takes a snapshot of conf/ (or of the folder given with -cd)
        from autrainer.core.wrappers.config_dir_snapshot import ConfigDirSnapshot
    except ImportError:
        return "conf" if os.path.isdir("conf") else None
    return ConfigDirSnapshot().create_snapshot_dir()
