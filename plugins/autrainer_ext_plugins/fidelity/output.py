"""Output folder of `explain`: a folder per clip, from which the tables of all clips are made.

A clip whose folder exists is finished, so a call that was interrupted can be continued. The folder
holds a hash of the recording: a recording that changed is explained again.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import yaml

from autrainer_ext.atomic import atomic_file, atomic_folder, is_free, remove, remove_leftovers
from autrainer_ext.explanation.summary import summarise, summarise_sanity
from autrainer_ext_plugins.writing import write_table

from .sizes import write_sizes
from .tables import describe_few_segments, read_table

_DIGEST = "recording.sha256"


class OutputFolder:
    """Output folder of one call of `explain`, or of several with equal settings.

    Args:
        path: Folder to create or to continue.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, settings: dict) -> None:
        """Create the folder, or check that it was created with the same settings.

        Args:
            settings: Everything the results depend on except the recordings, as values that YAML
                can hold; saved as `settings.yaml`.

        Raises:
            ValueError: If the path is a file, or the folder contains other files or results of
                other settings.
        """
        path = self.path / "settings.yaml"
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"Output '{self.path}' is not a folder.")
        remove_leftovers(self.path, recursive=True)
        if is_free(self.path):
            with atomic_file(path) as part:
                part.write_text(yaml.safe_dump(settings, sort_keys=False))
            return
        if not path.is_file():
            raise ValueError(
                f"Output folder '{self.path}' contains files that are not results of explain."
            )
        earlier = _read_settings(path)
        other = [key for key in settings if earlier.get(key) != settings[key]]
        if other:
            raise ValueError(
                f"Output folder '{self.path}' was created with another setting '{other[0]}': "
                "choose another folder."
            )

    def is_done(self, noise: str, filename: str, digest: str) -> bool:
        """Check that a clip is finished, and that its recording had the same content."""
        path = self.clip_folder(noise, filename) / _DIGEST
        return path.is_file() and path.read_text() == digest

    @contextmanager
    def new_clip(self, noise: str, filename: str, digest: str) -> Iterator[Path]:
        """Write the folder of a clip; that of another recording of the same name is replaced.

        Args:
            noise: Name of the noise in the clip.
            filename: Recording relative to the input folder.
            digest: Hash of the content of the recording.

        Yields:
            Empty temporary folder, which becomes that of the clip.
        """
        target = self.clip_folder(noise, filename)
        remove(target)
        with atomic_folder(target) as folder:
            yield folder
            (folder / _DIGEST).write_text(digest)

    def clip_folder(self, noise: str, filename: str) -> Path:
        """Path of the folder of a clip, which exists if the clip is finished."""
        return self.path / "clips" / noise / filename

    def write_tables(self, noises: Iterable[str], filenames: Sequence[str]) -> list[str]:
        """Write the tables of all clips from those in the folders of the clips.

        Args:
            noises: Names of the noises in the order of the tables.
            filenames: Finished recordings; without any, nothing is written.

        Returns:
            Lines for the user about what the tables cannot show well.
        """
        if not filenames:
            return []
        noises = list(noises)
        scores = pd.concat(self._tables("scores", noises, filenames), ignore_index=True)
        write_table(scores, self.path / "scores.csv")
        write_table(summarise(scores), self.path / "summary.csv")
        sizes = pd.concat(self._tables("size", noises, filenames), ignore_index=True)
        write_sizes(sizes, self.path)
        audio = list(self._tables("audio", noises, filenames))
        if audio:
            write_table(pd.concat(audio, ignore_index=True), self.path / "audio.csv")
        sanity = list(self._tables("sanity", noises, filenames))
        if sanity:
            correlations = pd.concat(sanity, ignore_index=True)
            write_table(summarise_sanity(correlations), self.path / "sanity.csv")
        return describe_few_segments(scores)

    def _tables(
        self, name: str, noises: Sequence[str], filenames: Sequence[str]
    ) -> Iterator[pd.DataFrame]:
        for noise in noises:
            for filename in filenames:
                path = self.clip_folder(noise, filename) / f"{name}.csv"
                if path.is_file():
                    yield read_table(path)


def _read_settings(path: Path) -> dict:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"File '{path}' is damaged: choose another folder.") from error
    return settings if isinstance(settings, dict) else {}
