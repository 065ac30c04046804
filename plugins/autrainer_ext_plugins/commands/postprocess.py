"""Command `postprocess`: the summary of the host, followed by plugins."""

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from autrainer.core.scripts import AbstractScript, CommandLineError
from autrainer.core.scripts.postprocess_script import PostprocessArgs

from autrainer_ext_plugins.plugin import AbstractPlugin, load_plugin, plugin_names

from .arguments import reporting_errors


@dataclass
class PluginPostprocessArgs(PostprocessArgs):
    """Arguments of the host's command and of this command."""

    plugins: list[str] | None
    override: list[str]
    device: str | None
    no_summary: bool


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
            "Tables and figures are written to RESULTS/EXPERIMENT/<plugin>/.",
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
        self.parser.add_argument("--no-summary", action="store_true", help="Run only the plugins.")

    def main(self, args: PluginPostprocessArgs) -> None:
        """Run the command.

        Raises:
            CommandLineError: If a plugin or a setting does not exist, or a plugin of -p cannot run.
        """
        with reporting_errors(self.parser):
            plugins = self._plugins(args)
            from autrainer_ext.runs import find_runs

            runs = find_runs(args.results_dir, args.experiment_id) if plugins else []
        if not args.no_summary:
            self._host.main(args)
            import matplotlib as mpl

            mpl.rcdefaults()  # plots of the host change the style of all later plots
        complete = [run for run in runs if run.is_complete]
        for run in runs:
            if not run.is_complete:
                print(f"Run '{run.name}' is not finished and is left out.", file=sys.stderr)
        for name, plugin in plugins.items():
            folder = Path(args.results_dir, args.experiment_id, plugin.folder)
            try:
                if not complete:
                    raise ValueError("No run is finished.")
                folder.mkdir(exist_ok=True)
                plugin.run(complete, folder)
                print(f"{name}: {folder}")
            except ValueError as error:
                if args.plugins:
                    raise CommandLineError(self.parser, f"{name}: {error}", code=1) from error
                print(f"{name} was left out: {error}", file=sys.stderr)

    def _plugins(self, args: PluginPostprocessArgs) -> dict[str, AbstractPlugin]:
        if args.override and len(args.plugins or []) != 1:
            raise CommandLineError(
                self.parser, "Option -o needs exactly one plugin, named with -p."
            )
        names = plugin_names(automatic=True) if args.plugins is None else args.plugins
        overrides = dict(self._setting(text) for text in args.override)
        shared = {} if args.device is None else {"device": args.device}
        return {name: load_plugin(name, overrides, shared) for name in dict.fromkeys(names)}

    def _setting(self, text: str) -> tuple[str, object]:
        key, equals, value = text.partition("=")
        if not equals:
            raise CommandLineError(self.parser, f"Option -o needs KEY=VALUE, got '{text}'.")
        return key, yaml.safe_load(value)
