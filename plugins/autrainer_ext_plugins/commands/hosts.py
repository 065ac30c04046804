"""Choose the host of a command line: autrainer or aucurriculum.

Importing aucurriculum changes the names of runs in the whole process: it adds six parts for the
curriculum. One process cannot continue, summarise or aggregate runs of both kinds. A command for
an experiment of plain autrainer therefore runs without aucurriculum, any other command with it.
"""

import argparse
import os
import sys
from importlib.util import find_spec

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
    """Command line of autrainer for experiments of autrainer, else that of aucurriculum.

    Args:
        arguments: Arguments after the name of the program.

    Returns:
        Command line of the host; only that of aucurriculum has all commands. Without aucurriculum,
        that of autrainer.
    """
    if find_spec("aucurriculum") is None or _is_plain(arguments):
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
        return False  # the full command line reports the error
    if args.command == "postprocess":
        training = os.path.join(args.results_dir, args.experiment_id, "training")
        return os.path.isdir(training) and _are_plain(next(os.walk(training))[1])
    try:
        config = compose(unknown, _PRIMARY_CONFIGS[args.command])
        grouped = [run for group in config.get("groupings", []) for run in group.runs]
        names = [name for run in grouped for name in run.combine]
    except Exception as error:
        # experiments of aucurriculum extend its _aucurriculum_train_, which autrainer lacks; the
        # command itself reports any other error
        return "curriculum" not in (getattr(error, "missing_cfg_file", None) or "")
    return "curriculum" not in config and _are_plain(names)


def _are_plain(run_names: list[str]) -> bool:
    """Whether no name has more parts than autrainer gives it; aucurriculum adds parts."""
    n_parts = len(NamingConstants().NAMING_CONVENTION)
    return all(len(name.split("_")) <= n_parts for name in run_names)


def compose(overrides: list[str], config_name: str | None) -> DictConfig:
    """Compose a configuration as the host does before a sweep.

    Args:
        overrides: Arguments after the command: overrides and options of Hydra.
        config_name: Name of the primary configuration if the options contain none, or None for
            the settings of Hydra alone.

    Returns:
        Configuration with its `hydra` node. Configurations of aucurriculum are found only if
        aucurriculum is already imported.
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
