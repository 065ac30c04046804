"""Command line `autrainer-ext`: all commands of the hosts and the commands of this package.

Each command is a script class in a file of `commands`, listed in `COMMANDS`. It replaces a command
of the host that has the same name. Scripts import torch and other large libraries only when they
run, so that `-h`, `list` and `show` start fast.
"""

import argparse
import os
import re
import sys

from autrainer.core.scripts import AbstractScript, CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

import autrainer_ext
from autrainer_ext.trust import SETTING, trust
from autrainer_ext_plugins.commands.adapt import AdaptScript
from autrainer_ext_plugins.commands.configurations import (
    ListConfigurationsScript,
    ShowConfigurationScript,
)
from autrainer_ext_plugins.commands.demo import DemoScript
from autrainer_ext_plugins.commands.evaluate import EvaluateScript
from autrainer_ext_plugins.commands.explain import ExplainScript
from autrainer_ext_plugins.commands.export import ExportScript
from autrainer_ext_plugins.commands.fetch import FetchSourceScript
from autrainer_ext_plugins.commands.hosts import host_command_line
from autrainer_ext_plugins.commands.import_cp_mobile import ImportCPMobileScript
from autrainer_ext_plugins.commands.inference import BatchedInferenceScript
from autrainer_ext_plugins.commands.postprocess import PluginPostprocessScript
from autrainer_ext_plugins.commands.preprocess import CompletePreprocessScript
from autrainer_ext_plugins.commands.report import ReportScript
from autrainer_ext_plugins.commands.train import TidyTrainScript
from autrainer_ext_plugins.commands.triangle import TriangleScript

# commands that build what a model directory or a run names
_LOADING = {"inference", "explain", "adapt", "evaluate", "export", "postprocess", "report"}
_HOST_EXAMPLE = re.compile(r"^(Example: )(autrainer|aucurriculum)(?= )")
COMMANDS: list[type[AbstractScript]] = [
    ListConfigurationsScript,
    ShowConfigurationScript,
    FetchSourceScript,
    CompletePreprocessScript,
    BatchedInferenceScript,
    ImportCPMobileScript,
    ExplainScript,
    EvaluateScript,
    ExportScript,
    DemoScript,
    TriangleScript,
    AdaptScript,
    ReportScript,
]


class _Trust(argparse.Action):
    """Option that trusts a package; it leaves nothing in the arguments of the command."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        trust(str(values))


class CLI(AutrainerCLI):
    """Command line that extends the command line of a host.

    Args:
        host: Command line of the host.
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
            script.epilog = _HOST_EXAMPLE.sub(r"\1autrainer-ext", script.epilog)
            # a typing error of the hosts
            script.extended_description = script.extended_description.replace("line line", "line")
        return list(scripts.values())

    def _init_parser(self) -> argparse.ArgumentParser:
        parser = super()._init_parser()
        parser.prog = "autrainer-ext"
        parser.description = "autrainer and aucurriculum with more models, data and analyses."
        parser.epilog = "Help for a command: autrainer-ext COMMAND -h"
        for action in parser._actions:
            if isinstance(action, argparse._VersionAction):
                action.version = f"%(prog)s {autrainer_ext.__version__}"
        for script in self.scripts:
            script.parser.prog = f"autrainer-ext {script.command}"
            if script.command in _LOADING:
                script.parser.add_argument(
                    "--trust",
                    action=_Trust,
                    dest=argparse.SUPPRESS,
                    metavar="PACKAGE",
                    help="Package that models and runs may name besides the hosts, this package,\n"
                    "torch and torchaudio, such as that of your own networks. Can be repeated;\n"
                    f"the environment variable {SETTING} holds a list (A,B).",
                )
        return parser


def main() -> None:
    """Run the command line.

    Exit code: 0 everything was done, 1 nothing could be done, 2 wrong usage, 3 some inputs failed.
    An error is printed as one line; `HYDRA_FULL_ERROR=1` shows the traceback.
    """
    show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them
    try:
        command_line = CLI(host_command_line(sys.argv[1:]))
        if "_ARGCOMPLETE" in os.environ:  # the shell asks for completions
            import argcomplete

            argcomplete.autocomplete(command_line.parser)
        command_line.main()
    except CommandLineError as error:
        _print_usage(error)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except Exception as error:
        if show_traceback:
            raise
        sys.exit(_describe(error))


def _print_usage(error: CommandLineError) -> None:
    if len(sys.argv) == 1:
        error.parser.print_help(sys.stderr)
    elif error.code == 2:
        error.parser.print_usage(sys.stderr)
    print(error.message, file=sys.stderr)
    sys.exit(error.code)


def _describe(error: Exception) -> str:
    from hydra.errors import CompactHydraException, InstantiationException

    cause = error.__cause__
    if isinstance(error, InstantiationException) and isinstance(cause, Exception):
        error = cause
    if isinstance(error, CompactHydraException):
        reason = " ".join(str(error.__cause__ or "").split())
        return f"{str(error).strip()}{reason and f' ({reason})'}"
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return f"{message}\nSet HYDRA_FULL_ERROR=1 to see the traceback."


if __name__ == "__main__":
    main()
