"""Which host a command line belongs to.

Importing aucurriculum renames the runs of the whole process: names with and without the six
parts of a curriculum cannot be continued, summarised or aggregated by one and the same
process. A command about an experiment of plain autrainer therefore runs without aucurriculum,
every other one with it.
"""

import argparse
import os
import sys

from autrainer.core.constants import NamingConstants
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI
from autrainer.core.wrappers.main import AutrainerPathPlugin
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig

from hydra_plugins.autrainer_ext import AutrainerExtSearchPathPlugin

_PRIMARY_CONFIGS = {"train": "config", "fetch": "config", "preprocess": "config", "group": "group"}


def host_command_line(arguments: list[str]) -> AutrainerCLI:
    """The command line of autrainer for its own experiments, else that of aucurriculum.

    Args:
        arguments: What follows the program's name.

    Returns:
        The host's command line; only that of aucurriculum knows every command.
    """
    if _is_plain(arguments):
        return AutrainerCLI()
    from aucurriculum.core.scripts.cli import CLI

    return CLI()


def _is_plain(arguments: list[str]) -> bool:
    if not {*_PRIMARY_CONFIGS, "postprocess"} & set(arguments[:1]):
        return False
    if {"-h", "--help"} & set(arguments):
        return False
    try:
        args, unknown = AutrainerCLI().parser.parse_known_args(arguments)
    except CommandLineError:
        return False  # the full command line explains what is wrong
    if args.command == "postprocess":
        training = os.path.join(args.results_dir, args.experiment_id, "training")
        return os.path.isdir(training) and _are_plain(next(os.walk(training))[1])
    try:
        config = compose(unknown, _PRIMARY_CONFIGS[args.command])
        grouped = [run for group in config.get("groupings", []) for run in group.runs]
        names = [name for run in grouped for name in run.combine]
    except Exception as error:
        # experiments of aucurriculum extend its _aucurriculum_train_, unknown to autrainer;
        # whatever else is wrong, the command itself explains it
        return "curriculum" not in (getattr(error, "missing_cfg_file", None) or "")
    return "curriculum" not in config and _are_plain(names)


def _are_plain(run_names: list[str]) -> bool:
    """Whether autrainer's own naming, not yet touched by aucurriculum, explains the names."""
    n_parts = len(NamingConstants().NAMING_CONVENTION)
    return all(len(name.split("_")) <= n_parts for name in run_names)


def compose(overrides: list[str], config_name: str) -> DictConfig:
    """The configuration as the host at hand composes it, before anything is swept.

    Args:
        overrides: What follows the command: overrides and Hydra's own options.
        config_name: Name of the primary configuration where the options give none.

    Returns:
        Configuration with its `hydra` node. What aucurriculum ships is known only once
        aucurriculum was imported.
    """
    args, _ = get_args_parser().parse_known_args(overrides)
    Plugins.instance()  # finds the kinds of sources a search path may have
    return ConfigLoaderImpl(_search_path(args)).load_configuration(
        args.config_name or config_name, args.overrides, RunMode.MULTIRUN
    )


def _search_path(args: argparse.Namespace) -> ConfigSearchPath:
    search_path = ConfigSearchPathImpl()
    for directory in (args.config_dir, args.config_path):
        if directory is not None:
            search_path.append("command-line", f"file://{os.path.abspath(directory)}")
    search_path.append("hydra", "pkg://hydra.conf")
    plugins = [AutrainerExtSearchPathPlugin, AutrainerPathPlugin]
    if "aucurriculum" in sys.modules:
        from aucurriculum.core.wrappers.main import AucurriculumPathPlugin

        plugins.append(AucurriculumPathPlugin)
    for plugin in plugins:
        plugin().manipulate_search_path(search_path)
    search_path.append("schema", "structured://")
    return search_path
