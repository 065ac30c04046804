"""Where configurations come from: the user, this package, the hosts."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hydra_plugins.autrainer_ext import ShippedConfigSource, configuration_directory


@dataclass(frozen=True)
class ConfigurationSource:
    """A folder of configurations and the name it goes by."""

    name: str
    root: Path

    def names(self, directory: str) -> list[str]:
        """Configurations in a sub-folder, sorted without regard to case."""
        files = [path for path in (self.root / directory).glob("*.yaml") if self.serves(path)]
        return sorted((path.stem for path in files), key=lambda name: (name.lower(), name))

    def serves(self, path: Path) -> bool:
        """Whether Hydra finds `path` here: the checkout's own experiment is nobody else's."""
        hidden = self.name == "autrainer-ext" and path.parent == self.root
        return path.is_file() and not (hidden and path.name in ShippedConfigSource.HIDDEN)


def sources() -> list[ConfigurationSource]:
    """Where configurations come from; the first that has a name wins, as in Hydra."""
    hosts = [
        ConfigurationSource(host, _package_directory(host).parent / f"{host}-configurations")
        for host in ("aucurriculum", "autrainer")
    ]
    return [
        ConfigurationSource("local", Path("conf")),
        ConfigurationSource("autrainer-ext", configuration_directory()),
        *hosts,
    ]


def _package_directory(package: str) -> Path:
    spec = find_spec(package)  # found, not imported: aucurriculum renames runs on import
    return Path(spec.origin).parent


def directories() -> list[str]:
    """Groups of configurations of all sources; `.` holds the experiments."""
    folders = {
        path.parent.relative_to(source.root).as_posix()
        for source in sources()
        for path in source.root.rglob("*.yaml")
    }
    return sorted(folders)


def find_configuration(
    directory: str, name: str, among: list[ConfigurationSource] | None = None
) -> Path | None:
    """First file of that name, with or without `.yaml`, in the order of `sources`."""
    for source in among or sources():
        path = source.root / directory / f"{name.removesuffix('.yaml')}.yaml"
        if source.serves(path):
            return path
    return None
