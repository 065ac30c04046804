"""Hydra plugin that adds the configurations of autrainer_ext to the search path of autrainer.

Hydra imports this module in every Hydra application of the environment, including those unrelated
to autrainer. It therefore imports only Hydra and the standard library.
"""

import os
import sys
import warnings
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf


def configuration_directory() -> Path:
    """Find the folder of the shipped configurations, in the wheel or in the checkout."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "autrainer_ext" / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


class ShippedConfigSource(FileConfigSource):
    """Shipped configurations, without files that would replace a host's default experiment.

    The checkout contains a `config.yaml` for work in the checkout. In any other working directory
    it would replace the default experiment of autrainer.
    """

    HIDDEN = ("config.yaml", "curriculum.yaml")

    @staticmethod
    def scheme() -> str:
        """Return the prefix of search path entries that this source handles."""
        return "autrainer-ext"

    def is_config(self, config_path: str) -> bool:
        """Check that `config_path` is a shipped, visible configuration."""
        hidden = self._normalize_file_name(config_path) in self.HIDDEN
        return not hidden and super().is_config(config_path)

    def load_config(self, config_path: str) -> ConfigResult:
        """Load a configuration; those of launchers are merged with the settings of the launchers.

        Hydra does so for equal names and warns that a later Hydra will not.
        """
        warnings.filterwarnings(
            "ignore", r"\s*'hydra/launcher/\w+' is validated against ConfigStore"
        )
        return super().load_config(config_path)


class AutrainerExtSearchPathPlugin(SearchPathPlugin):
    """Search path: the user's `conf/`, then the shipped configurations, then those of the hosts."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the configurations of the user and the shipped ones.

        The hosts append theirs, including those of the user, later. If only the shipped ones were
        appended here, they would precede those of the user.

        Args:
            search_path: Search path of the application.
        """
        if "autrainer" not in sys.modules:
            return
        user = _user_directory()
        if user is not None:
            search_path.append("autrainer-ext-current", f"file://{user}")
        search_path.append(
            "autrainer-ext", f"{ShippedConfigSource.scheme()}://{configuration_directory()}"
        )


class UnfinishedFeaturesPlugin(SearchPathPlugin):
    """Ends `autrainer preprocess` where features are incomplete; adds nothing to the search path.

    The host skips every existing folder of features. A search path plugin is the only code of this
    package that runs in its command before the configuration is read.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Check the features of all configured data sets.

        Args:
            search_path: Search path of the application.
        """
        if "autrainer" not in sys.modules or "preprocess" not in sys.orig_argv:
            return
        from autrainer_ext_plugins.commands.preprocess import refuse_unfinished

        try:
            refuse_unfinished(sys.argv[1:])
        except ValueError as error:
            sys.exit(str(error))


class EqualNamesPlugin(SearchPathPlugin):
    """Ends `train` where a sweep over criteria gives runs of equal names; adds no path.

    The host would skip all but the first of them. See `UnfinishedFeaturesPlugin` for the place.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Compare the names of the first two runs of a sweep.

        Args:
            search_path: Search path of the application.
        """
        if "autrainer" not in sys.modules or "train" not in sys.orig_argv:
            return
        from autrainer_ext_plugins.commands.sweeps import refuse_equal_names

        try:
            refuse_equal_names(sys.argv[1:])
        except ValueError as error:
            sys.exit(str(error))
        except Exception:
            return  # the configuration is wrong: the host reports it


def chosen(group: str, _root_: DictConfig) -> str:
    """Look up the configuration selected for a group, as a resolver for configurations.

    Hydra's `hydra:runtime.choices` is available only while a job runs, but the sweeper of the
    hosts composes run names earlier.

    Args:
        group: Group as written on the command line, such as `criterion@dataset.criterion`.

    Returns:
        File name of the selected configuration, without `.yaml`.

    Raises:
        ValueError: If no configuration is selected for the group.
    """
    hydra = _root_.get("hydra") or HydraConfig.get()
    if group not in hydra.runtime.choices:
        raise ValueError(f"No configuration is selected for '{group}': add '+{group}=NAME'.")
    return hydra.runtime.choices[group]


def scores_digest(_root_: DictConfig) -> str:
    """Hash what the scores of a curriculum depend on, as a resolver for configurations.

    Scoring and training resolve it from the same files: a training finds the scores of the runs
    it names, in their present state, or none.

    Returns:
        Eight hexadecimal digits.

    Raises:
        ValueError: If a run does not exist or lacks outputs, or a training has no scores.
    """
    from autrainer_ext.difficulty.provenance import select_runs, trace_scores

    curriculum = _root_.curriculum
    scoring = curriculum.scoring
    names = scoring.run_name
    results_dir = curriculum.get("_results_dir") or _root_.results_dir
    experiment = curriculum.get("_experiment_id") or _root_.experiment_id
    runs = select_runs(results_dir, experiment, names if isinstance(names, str) else list(names))
    settings = {"average": scoring.average, "ties": scoring.ties}
    digest = trace_scores(runs, scoring.subset, scoring.stop, settings).digest
    folder = Path(results_dir, experiment, "curriculum", scoring.type)
    if "train" in sys.orig_argv and not any(folder.glob(f"*-{digest}.csv")):
        raise ValueError(
            f"The {len(runs)} runs that '{names}' stands for have no scores in their present "
            f"state with these settings in '{folder}': compute them with aucurriculum curriculum."
        )
    return digest


OmegaConf.register_new_resolver("autrainer_ext.chosen", chosen, replace=True)
OmegaConf.register_new_resolver("autrainer_ext.scores_digest", scores_digest, replace=True)


def _user_directory() -> str | None:
    """Find the folder of the user's configurations as the installed host does."""
    try:  # autrainer >= 0.10 copies conf/ (or the folder given with -cd) first
        from autrainer.core.wrappers.config_dir_snapshot import ConfigDirSnapshot
    except ImportError:
        return "conf" if os.path.isdir("conf") else None
    return ConfigDirSnapshot().create_snapshot_dir()
