"""Command line `autrainer-ext`: every command of the hosts, and ours.

A command is a file with a script class; a class in `COMMANDS` is a command, and one with the
name of a host's command takes its place. Scripts import torch and the like when they run, so
that help, `list` and `show` answer at once.
"""

import argparse
import os
import re
import sys

from autrainer.core.scripts import AbstractScript, CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

import autrainer_ext
from autrainer_ext_plugins.commands.adapt import AdaptScript
from autrainer_ext_plugins.commands.configurations import (
    ListConfigurationsScript,
    ShowConfigurationScript,
)
from autrainer_ext_plugins.commands.demo import DemoScript
from autrainer_ext_plugins.commands.explain import ExplainScript
from autrainer_ext_plugins.commands.fetch import FetchSourceScript
from autrainer_ext_plugins.commands.hosts import host_command_line
from autrainer_ext_plugins.commands.import_cp_mobile import ImportCPMobileScript
from autrainer_ext_plugins.commands.inference import BatchedInferenceScript
from autrainer_ext_plugins.commands.postprocess import PluginPostprocessScript
from autrainer_ext_plugins.commands.train import TidyTrainScript
from autrainer_ext_plugins.commands.triangle import TriangleScript

COMMANDS: list[type[AbstractScript]] = [
    ListConfigurationsScript,
    ShowConfigurationScript,
    FetchSourceScript,
    BatchedInferenceScript,
    ImportCPMobileScript,
    ExplainScript,
    DemoScript,
    TriangleScript,
    AdaptScript,
]


class CLI(AutrainerCLI):
    """Command line around that of a host.

    Args:
        host: Command line whose commands are taken over.
    """

    def __init__(self, host: AutrainerCLI) -> None:
        self._host = host
        super().__init__()

    def _init_scripts(self) -> list[AbstractScript]:
        scripts = {script.command: script for script in self._host.scripts}
        scripts["train"] = TidyTrainScript(scripts["train"])
        scripts["postprocess"] = PluginPostprocessScript(scripts["postprocess"])
        scripts |= {script.command: script for script in (command() for command in COMMANDS)}
        for script in scripts.values():
            script.epilog = re.sub(r"^(Example: )au\w+", r"\1autrainer-ext", script.epilog)
        return list(scripts.values())

    def _init_parser(self) -> argparse.ArgumentParser:
        parser = super()._init_parser()
        parser.prog = "autrainer-ext"
        parser.description = "autrainer and aucurriculum with more models, data and analyses."
        parser.epilog = "More on a command: autrainer-ext COMMAND -h"
        for action in parser._actions:
            if isinstance(action, argparse._VersionAction):
                action.version = f"%(prog)s {autrainer_ext.__version__}"
        for script in self.scripts:
            script.parser.prog = f"autrainer-ext {script.command}"
        return parser


def main() -> None:
    """Run the command line.

    Exits with 0 if all was done, 1 if nothing could be done, 2 on wrong usage and 3 if some
    inputs failed. Errors are told in a line; `HYDRA_FULL_ERROR=1` shows where they arose.
    """
    show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing them
    try:
        CLI(host_command_line(sys.argv[1:])).main()
    except CommandLineError as error:
        _explain_usage(error)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except Exception as error:
        if show_traceback:
            raise
        sys.exit(_describe(error))


def _explain_usage(error: CommandLineError) -> None:
    if len(sys.argv) == 1:
        error.parser.print_help(sys.stderr)
    elif error.code == 2:
        error.parser.print_usage(sys.stderr)
    print(error.message, file=sys.stderr)
    sys.exit(error.code)


def _describe(error: Exception) -> str:
    from hydra.errors import CompactHydraException, InstantiationException

    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__  # what went wrong rather than where
    if isinstance(error, CompactHydraException):
        cause = " ".join(str(error.__cause__ or "").split())
        return f"{str(error).strip()}{cause and f' ({cause})'}"
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return f"{message}\nHYDRA_FULL_ERROR=1 shows where this arose."


if __name__ == "__main__":
    main()
