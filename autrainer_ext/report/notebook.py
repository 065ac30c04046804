"""Sections of a report in a notebook."""

import base64
import html
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autrainer_ext.errors import unknown_name

from .build import add_clips
from .page import VIEWS, render
from .source import open_experiment
from .story import tell

_TYPES = {".flac": "audio/flac", ".png": "image/png"}


@dataclass(frozen=True, repr=False)
class Shown:
    """Page in one file, which a notebook displays.

    Attributes:
        html: The page.
        height: Height of the frame in pixels.
    """

    html: str
    height: int

    def _repr_html_(self) -> str:
        """Frame with the page; its scripts cannot reach the notebook."""
        page = html.escape(self.html, quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-scripts allow-downloads" title="Report" '
            f'style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )


def show(
    results: Path | str,
    experiment: str,
    *sections: str,
    run: str | None = None,
    audio: Path | str | None = None,
    clips: int = 12,
    height: int = 800,
) -> Shown:
    """Sections of the report of an experiment, for display in a notebook.

    Args:
        results: Folder of the results.
        experiment: Name of the experiment.
        *sections: Sections of the page, such as "links" or "triangle". Default: all.
        run: Name or label of the run to follow. Default: the most accurate one on dev.
        audio: Folder of the recordings. Default: `default/` in the folder of the data set.
        clips: Largest number of recordings with audio; they are stored in the notebook.
        height: Height of the frame in pixels.

    Returns:
        Object that a notebook displays as a frame.

    Raises:
        ValueError: If a section does not exist, or the experiment cannot be read.
    """
    for section in sections:
        if section not in VIEWS:
            raise unknown_name("section", section, VIEWS)
    found = open_experiment(results, experiment, told=run, audio=audio)
    story = tell(found)
    story["meta"] |= {"explainer": "grad_cam", "mask": "topK_30"}
    with tempfile.TemporaryDirectory() as folder:
        add_clips(story, found, Path(folder), clips, iter)
        story["files"] = {
            row: {
                path.name: _data_address(path) for path in sorted(Path(folder, str(row)).iterdir())
            }
            for row in story["clips"]
        }
    return Shown(render(story, sections=sections or VIEWS), height)


def _data_address(path: Path) -> str:
    """Content of a file as an address."""
    content = base64.b64encode(path.read_bytes()).decode()
    return f"data:{_TYPES[path.suffix]};base64,{content}"
