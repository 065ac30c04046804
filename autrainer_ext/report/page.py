"""Write a story as a folder that a browser opens from disk."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

VIEWS = (
    "summary",
    "triangle",
    "recordings",
    "explanations",
    "adaptation",
    "devices",
    "latent",
    "links",
)
SCRIPTS = (
    "dom.js",
    "state.js",
    "charts.js",
    "player.js",
    "clip.js",
    "triangle.js",
    "recordings.js",
    "explanations.js",
    "adaptation.js",
    "devices.js",
    "latent.js",
    "links.js",
    "main.js",
)
CLIP_SCRIPTS = ("dom.js", "player.js", "clip_page.js")
STYLE = "report.css"


def write_page(story: Mapping[str, Any], folder: Path) -> None:
    """Write `index.html`, `data.js` and the assets of a page.

    All values of the story are written as data: the browser never reads them as markup.

    Args:
        story: Sections of the page.
        folder: Existing folder.
    """
    assets = files(__package__).joinpath("assets")
    (folder / "assets").mkdir()
    for name in (*SCRIPTS, STYLE):
        (folder / "assets" / name).write_bytes(assets.joinpath(name).read_bytes())
    (folder / "data.js").write_text(as_script(story), encoding="utf-8")
    (folder / "index.html").write_text(render(story), encoding="utf-8")


def render(story: Mapping[str, Any], *, sections: Sequence[str] | None = None) -> str:
    """HTML of the page, with the summary and the sentences in it.

    Args:
        story: Sections of the page.
        sections: Names of the sections to show in one file that holds its scripts and data. None
            for the page whose files lie beside it.
    """
    inline = None
    if sections is not None:
        inline = _inline(story, SCRIPTS)
        shown = ", ".join(f"#{name}" for name in sections)
        inline["style"] += f"nav, header, footer, section:not({shown}) {{ display: none; }}"
    template = _environment().get_template("index.html")
    return template.render(story=story, scripts=SCRIPTS, inline=inline)


def render_clip(clip: Mapping[str, Any]) -> str:
    """HTML of the page of one clip, in one file that plays sounds and shows pictures beside it.

    Args:
        clip: `filename`, `noise`, `target`, `prediction`, `confidence`; `seconds` of the recording,
            `start` and `end` of what the model heard, `picture` with start and end of the features,
            which may exceed the recording; names of the files `recording`,
            `spectrogram` and `unseen` (None if everything was heard); and `parts`, one mapping per
            explainer and mask with `explainer`, `mask` and the names of the files `map`, `kept`,
            `removed`, `veil_kept` and `veil_removed`.
    """
    inline = _inline(clip, CLIP_SCRIPTS)
    return _environment().get_template("clip.html").render(clip=clip, inline=inline)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["points"] = _points
    environment.filters["amount"] = _amount
    environment.filters["number"] = _number
    return environment


def _inline(story: Mapping[str, Any], names: Sequence[str]) -> dict[str, Markup]:
    """Style and scripts of a page in one file; they are ours and hold no text from data as is."""
    assets = files(__package__).joinpath("assets")
    style = assets.joinpath(STYLE).read_text(encoding="utf-8")
    scripts = [assets.joinpath(name).read_text(encoding="utf-8") for name in names]
    return {"style": Markup(style), "script": Markup("".join([as_script(story), *scripts]))}


def as_script(story: Mapping[str, Any]) -> str:
    r"""Script that defines the story as a global value.

    A page opened from disk may not read other files, but may run scripts beside it. The values are
    parsed from a string, so that no name of a class or file can change what the script does.

    Args:
        story: Mappings, sequences, arrays, numbers and text; nan and infinity become null.

    Example:
        >>> as_script({"name": "</script>", "value": float("nan")})
        'window.STORY = JSON.parse("{\\"name\\":\\"\\u003c/script>\\",\\"value\\":null}");\n'
    """
    text = json.dumps(_plain(story), separators=(",", ":"), allow_nan=False)
    literal = json.dumps(text).replace("<", "\\u003c")
    return f"window.STORY = JSON.parse({literal});\n"


def folder_bytes(folder: Path) -> int:
    """Number of bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def is_page_file(path: Path) -> bool:
    """Whether a file, given by its path in a folder, may belong to a page.

    Example:
        >>> is_page_file(Path("clips/3/clip.flac")), is_page_file(Path("thesis.tex"))
        (True, False)
    """
    return path.parts[0] in {"index.html", "data.js", "assets", "clips"}


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Value of numpy and pandas types as JSON knows them; numbers have five digits."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value.tolist()]
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    return None if value is None else str(value)


def _percent(value: float | None) -> str:
    """Share in percent with one decimal."""
    return "unknown" if value is None or not np.isfinite(value) else f"{100 * value:.1f} %"


def _points(value: float) -> str:
    """Difference of shares in percentage points, with sign."""
    if not np.isfinite(value):
        return "unknown"
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")


def _number(value: float) -> str:
    """Number with three decimals and sign."""
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else "unknown"


def _amount(value: float | None) -> str:
    """Number with a unit prefix: 13828 is 13.8 k."""
    if value is None:
        return "unknown"
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {prefix}"
    return f"{value:g}"
