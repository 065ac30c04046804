"""Search path of configurations: the user, this package, the hosts."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hydra_plugins.autrainer_ext import ShippedConfigSource, configuration_directory


@dataclass(frozen=True)
class ConfigurationSource:
    """Folder of configurations and its name in listings."""

    name: str
    root: Path

    def names(self, directory: str) -> list[str]:
        """List the configurations in a sub-folder, sorted case-insensitively."""
        files = [path for path in (self.root / directory).glob("*.yaml") if self.serves(path)]
        return sorted((path.stem for path in files), key=lambda name: (name.lower(), name))

    def serves(self, path: Path) -> bool:
        """Check that Hydra finds `path` here; it hides the default experiments of the checkout."""
        hidden = self.name == "autrainer-ext" and path.parent == self.root
        return path.is_file() and not (hidden and path.name in ShippedConfigSource.HIDDEN)


def sources() -> list[ConfigurationSource]:
    """List the sources in the order of precedence, as Hydra does: the first match is used."""
    hosts = [
        ConfigurationSource(host, package.parent / f"{host}-configurations")
        for host in ("aucurriculum", "autrainer")
        if (package := _package_directory(host)) is not None
    ]
    return [
        ConfigurationSource("local", Path("conf")),
        ConfigurationSource("autrainer-ext", configuration_directory()),
        *hosts,
    ]


def _package_directory(package: str) -> Path | None:
    spec = find_spec(package)  # without import: importing aucurriculum renames runs
    return Path(spec.origin).parent if spec and spec.origin else None


def directories() -> list[str]:
    """List the configuration groups of all sources; `.` is the group of experiments."""
    folders = {
        path.parent.relative_to(source.root).as_posix()
        for source in sources()
        for path in source.root.rglob("*.yaml")
    }
    return sorted(folders)


def configuration_names(
    directory: str, among: list[ConfigurationSource] | None = None
) -> list[str]:
    """List the names of all configurations of a group, without duplicates.

    Args:
        directory: Group, such as "plugin".
        among: Sources to search. Default: `sources()`.

    Returns:
        Names, sorted case-insensitively.
    """
    names = {name for source in among or sources() for name in source.names(directory)}
    return sorted(names, key=lambda name: (name.lower(), name))


def find_configuration(
    directory: str, name: str, among: list[ConfigurationSource] | None = None
) -> Path | None:
    """Find a configuration by name.

    Args:
        directory: Group, such as "plugin".
        name: Name of the configuration, with or without `.yaml`.
        among: Sources to search. Default: `sources()`.

    Returns:
        First file of that name in the order of the sources, or None.
    """
    for source in among or sources():
        path = source.root / directory / f"{name.removesuffix('.yaml')}.yaml"
        if source.serves(path):
            return path
    return None
