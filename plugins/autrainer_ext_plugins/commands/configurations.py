"""Commands `list` and `show`: configurations of the user, this package and the hosts."""

import argparse
import fnmatch
import shutil
from pathlib import Path

from autrainer.core.scripts import CommandLineError, ListScript, ShowScript
from autrainer.core.scripts.list_script import ListArgs
from autrainer.core.scripts.show_script import ShowArgs

from autrainer_ext.configurations import (
    configuration_names,
    directories,
    find_configuration,
    sources,
)
from autrainer_ext.errors import unknown_name

from .arguments import complete, replace_help


def _group_help() -> str:
    return "Group of configurations; . for experiments. Choose from:" + "\n - ".join(
        ["", *directories()]
    )


def _check_directory(directory: str, parser: argparse.ArgumentParser) -> str:
    known = directories()
    if directory.rstrip("/") not in known:
        raise CommandLineError(
            parser,
            str(unknown_name("group of configurations", directory, known)),
            code=1,
        )
    return directory.rstrip("/")


class ListConfigurationsScript(ListScript):
    """The host's `list` for all groups of configurations, listed by source."""

    def __init__(self) -> None:
        super().__init__()
        self.description = "List configurations and where they come from."
        self.epilog = "Examples:\n  autrainer-ext list model\n  autrainer-ext list . -p 'ext_*'"

    def add_arguments(self) -> None:
        """Add the arguments of the host's command, described for all sources."""
        super().add_arguments()
        replace_help(
            self.parser,
            {
                "directory": _group_help(),
                "local_only": "List only configurations in conf/.",
                "global_only": "List only configurations shipped with autrainer-ext and the hosts.",
                "pattern": "Pattern of names, such as 'CP*'. Default: all.",
            },
        )
        complete(self.parser, "directory", lambda **_: directories())

    def main(self, args: ListArgs) -> None:
        """Print the configurations of a group, in the order of the search path."""
        directory = _check_directory(args.directory, self.parser)
        local, *shipped = sources()
        if args.local_only and not args.global_only and not local.names(directory):
            raise CommandLineError(
                self.parser, f"Folder 'conf/{directory}' contains no configurations.", code=1
            )
        seen: set[str] = set()
        if args.local_only == args.global_only:
            shown = [local, *shipped]
        else:
            shown = [local] if args.local_only else shipped
        for source in shown:
            names = source.names(directory)
            matching = fnmatch.filter(names, args.pattern)
            if matching:
                print(f"{source.name} ({source.root / directory}):")
            for name in matching:
                print(f" - {name}" + (" (hidden by the one above)" if name in seen else ""))
            seen.update(names)
        if not fnmatch.filter(seen, args.pattern):
            print(f"No '{directory}' configurations match '{args.pattern}'.")


class ShowConfigurationScript(ShowScript):
    """The host's `show` for the configuration that Hydra would use."""

    def __init__(self) -> None:
        super().__init__()
        self.description = "Show a configuration, or save a shipped one to conf/."
        self.epilog = (
            "Examples:\n  autrainer-ext show model CPMobile\n  autrainer-ext show model CPMobile -s"
        )

    def add_arguments(self) -> None:
        """Add the arguments of the host's command, described for all sources."""
        super().add_arguments()
        replace_help(
            self.parser,
            {
                "directory": _group_help(),
                "config": "Name of the configuration, as listed by 'autrainer-ext list'.",
                "save": "Copy the shipped configuration to conf/.",
                "force": "With -s, overwrite the file in conf/.",
            },
        )
        complete(self.parser, "directory", lambda **_: directories())
        complete(
            self.parser,
            "config",
            lambda parsed_args, **_: configuration_names(parsed_args.directory.rstrip("/")),
        )

    def main(self, args: ShowArgs) -> None:
        """Print the file; with `-s`, copy the shipped file to `conf/`."""
        directory = _check_directory(args.directory, self.parser)
        searched = sources()[1:] if args.save else sources()
        path = find_configuration(directory, args.config, searched)
        if path is None:
            known = configuration_names(directory, searched)
            error = unknown_name("configuration", args.config, known, where=f"'{directory}'")
            raise CommandLineError(self.parser, str(error), code=1)
        print(f"# {path}\n{path.read_text(encoding='utf-8').rstrip()}")
        if args.save:
            self._save(path, Path("conf") / directory / path.name, args.force)

    def _save(self, path: Path, copy: Path, force: bool) -> None:
        if copy.exists() and not force:
            raise CommandLineError(
                self.parser, f"File '{copy}' already exists. Use -f to overwrite it.", code=1
            )
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
