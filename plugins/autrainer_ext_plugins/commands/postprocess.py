"""Command `postprocess`: the summary of the host, followed by plugins."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from autrainer.core.scripts import AbstractScript, CommandLineError
from autrainer.core.scripts.postprocess_script import PostprocessArgs

from autrainer_ext.atomic import UnwritableError, remove_leftovers
from autrainer_ext_plugins.plugin import (
    AbstractPlugin,
    load_plugin,
    plugin_names,
    suitable_runs,
)

from .arguments import add_options, complete, reporting_errors, style_settings
from .dividing import add_dividing_options, read_shards

if TYPE_CHECKING:
    from autrainer_ext.runs import Run


@dataclass
class PluginPostprocessArgs(PostprocessArgs):
    """Arguments of the host's command and of this command."""

    plugins: list[str] | None
    override: list[str]
    device: str | None
    column_width: float | None
    font_size: float | None
    no_summary: bool
    jobs: int
    launcher: str | None
    shard: list[str] | None
    only: str | None


class PluginPostprocessScript(AbstractScript):
    """Summarise an experiment with the host, then run plugins on its runs.

    Args:
        host: The host's script.
    """

    def __init__(self, host: AbstractScript) -> None:
        super().__init__(
            host.command,
            "Summarise the runs of an experiment and analyse them with plugins.",
            "Without -p, all plugins run whose configuration contains automatic: true.\n"
            "Tables and figures are written to RESULTS/EXPERIMENT/<plugin>/.\n"
            "Exit code: 0 everything was done, 1 nothing, 3 some runs or plugins were left out.",
            "Examples:\n"
            "  autrainer-ext postprocess results default -a seed\n"
            "  autrainer-ext postprocess results default -p EntropyTriangle -o every=5",
            dataclass=PluginPostprocessArgs,
        )
        self._host = host

    def add_arguments(self) -> None:
        """Add the arguments of the host's command and of this command."""
        self._host.init_parser(self.parser)
        self._host.add_arguments()
        self.parser.add_argument(
            "-p",
            "--plugins",
            nargs="+",
            action="extend",
            metavar="P",
            help="Names of the plugins to run:" + "\n - ".join(["", *plugin_names()]),
        )
        complete(self.parser, "plugins", lambda **_: plugin_names())
        self.parser.add_argument(
            "-o",
            "--override",
            nargs="+",
            action="extend",
            default=[],
            metavar="KEY=VALUE",
            help="Settings of the plugin; needs exactly one plugin in -p.",
        )
        self.parser.add_argument(
            "--device",
            metavar="D",
            help="Device of the networks: auto, cpu, cuda, cuda:N or mps.\n"
            "Default: the setting device of each plugin that evaluates networks.",
        )
        add_options(self.parser, "column_width", "font_size")
        self.parser.add_argument("--no-summary", action="store_true", help="Run only the plugins.")
        add_dividing_options(self.parser)
        self.parser.add_argument("--only", help=argparse.SUPPRESS)  # plugin of a shard

    def main(self, args: PluginPostprocessArgs) -> None:
        """Run the command; exits with 3 if some plugins failed or the summary was left out.

        Raises:
            CommandLineError: If a plugin or a setting does not exist, or nothing could be done.
        """
        with reporting_errors(self.parser):
            plugins = self._plugins(args)
            for name, plugin in plugins.items():
                beside = Path(args.results_dir, args.experiment_id, plugin.folder)
                only = ["--no-summary", "--only", name]
                plugin.shards = read_shards(args, beside, arguments=only)
            from autrainer_ext.runs import find_runs

            runs = find_runs(args.results_dir, args.experiment_id)
        complete = [run for run in runs if run.is_complete]
        failures = _unfinished(args, [run.name for run in runs if not run.is_complete])
        n_done = 0
        if not args.no_summary and not failures:
            self._host.main(args)
            import matplotlib as mpl

            mpl.rcdefaults()  # plots of the host change the style of all later plots
            n_done = 1
        for name, plugin in plugins.items():
            try:
                folder = _run(plugin, complete, Path(args.results_dir, args.experiment_id))
                print(f"{name}: {folder}")
                n_done += 1
            except (ValueError, UnwritableError) as error:
                if args.plugins is None:  # an automatic plugin needs not suit all experiments
                    print(f"{name} was left out: {error}", file=sys.stderr)
                else:
                    failures.append(f"{name}: {error}")
            except Exception as error:  # a plugin of the user may raise anything
                if len(plugins) == 1:
                    raise  # with its traceback, if that is asked for
                failures.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())}")
        if failures and not n_done:
            raise CommandLineError(self.parser, "\n".join(failures), code=1)
        if failures:
            print("\n".join(failures), file=sys.stderr)
            sys.exit(3)

    def _plugins(self, args: PluginPostprocessArgs) -> dict[str, AbstractPlugin]:
        if args.override and len(args.plugins or []) != 1:
            raise CommandLineError(
                self.parser, "Option -o needs exactly one plugin, named with -p."
            )
        names = plugin_names(automatic=True) if args.plugins is None else args.plugins
        names = [name for name in names if args.only in (None, name)]
        overrides = dict(self._setting(text) for text in args.override)
        shared = style_settings(args) | ({} if args.device is None else {"device": args.device})
        return {name: load_plugin(name, overrides, shared) for name in dict.fromkeys(names)}

    def _setting(self, text: str) -> tuple[str, object]:
        key, equals, value = text.partition("=")
        if not equals:
            raise CommandLineError(self.parser, f"Option -o needs KEY=VALUE, got '{text}'.")
        return key, yaml.safe_load(value)


def _unfinished(args: PluginPostprocessArgs, names: list[str]) -> list[str]:
    """Message about runs that are not finished: the summary of the host needs all to be."""
    if not names:
        return []
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    without = "" if args.no_summary else ", and so is the summary of the host"
    return [
        f"Run '{names[0]}'{others} is not finished and is left out{without}: train again to finish "
        f"it, or delete it with: autrainer-ext rm-failed {args.results_dir} {args.experiment_id}"
    ]


def _run(plugin: AbstractPlugin, runs: "list[Run]", experiment: Path) -> Path:
    """Run a plugin on the runs it can analyse; return the folder of its results."""
    if not runs:
        raise ValueError("No run is finished.")
    suitable = suitable_runs(plugin, runs)
    left_out = [run.name for run in runs if run not in suitable]
    if left_out:
        print(f"Runs with another task are left out: {', '.join(left_out)}", file=sys.stderr)
    folder = experiment / plugin.folder
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"'{folder}' is not a folder.")
    folder.mkdir(exist_ok=True)
    remove_leftovers(folder, recursive=True)
    plugin.run(suitable, folder)
    return folder
