"""Sizes of figures that are one column wide, and texts that fit in them."""

import re

from matplotlib import rcParams
from matplotlib.figure import Figure

_LETTER = 0.6  # mean width of a letter in font sizes
_BREAK = r" (?![\d=%])(?<!\d (?=seeds))"  # neither within "seed 1" nor "n = 9" nor "3 seeds"
_LINE = 1.55  # distance of lines in font sizes


def page_size(*, share: float = 0.0, lines: float = 0.0) -> tuple[float, float]:
    """Size of a figure of the width that is set in matplotlib (`figure.figsize`).

    Args:
        share: Part of the height that grows with the width, as a share of the width.
        lines: Part of the height that grows with the font size (`font.size`), in lines of text.

    Returns:
        Width and height in inches, for the argument `figsize`.

    Example:
        >>> from autrainer_ext.style import Style
        >>> with Style(column_width=127, font_size=10).applied():
        ...     page_size(share=0.5, lines=7.2)
        (5.0, 4.05)
    """
    width = rcParams["figure.figsize"][0]
    return width, round(share * width + lines * _LINE * rcParams["font.size"] / 72, 6)


def panel_grid(n: int, *, least_mm: float) -> tuple[int, int]:
    """Rows and columns of panels that are as many beside each other as the width permits.

    Args:
        n: Number of panels, at least one.
        least_mm: Smallest width of a panel with its labels, in mm.

    Returns:
        Number of rows and of columns.

    Example:
        >>> from autrainer_ext.style import Style
        >>> with Style(column_width=85).applied():
        ...     panel_grid(3, least_mm=40), panel_grid(3, least_mm=60)
        ((2, 2), (3, 1))
    """
    across = max(1, int(25.4 * rcParams["figure.figsize"][0] / least_mm))
    columns = min(n, across)
    rows = -(-n // columns)
    return rows, -(-n // rows)


def fold(text: str, *, share: float = 1.0) -> str:
    """Break a text into lines that fit in a share of the width of a figure.

    Lines end at spaces, but not before numbers. Words that are longer than a line end behind
    underscores and hyphens and before capitals, if possible.

    Args:
        text: Text; its own line breaks stay.
        share: Share of the width.

    Returns:
        Text with line breaks.

    Example:
        >>> from autrainer_ext.style import Style
        >>> with Style().applied():
        ...     print(fold("BalancedCrossEntropy, seed 1", share=0.3))
        BalancedCross
        Entropy, seed 1
    """
    room = 72 * share * rcParams["figure.figsize"][0] / (_LETTER * rcParams["font.size"])
    width = max(6, int(room))
    return "\n".join(line for part in text.split("\n") for line in _lines(part, width))


def set_title(figure: Figure, title: str) -> None:
    """Set the title of a figure, in as many lines as it takes.

    Args:
        figure: Figure.
        title: Title.
    """
    figure.suptitle(fold(title, share=figure.get_figwidth() / rcParams["figure.figsize"][0]))


def _lines(text: str, width: int) -> list[str]:
    """Lines of at most `width` letters."""
    lines = [""]
    for word in re.split(_BREAK, text):
        space = " " if lines[-1] else ""
        if len(lines[-1] + space + word) <= width:
            lines[-1] += space + word
            continue
        lines.append("")
        for piece in re.split(r"(?<=[_-])|(?<=[a-z])(?=[A-Z])", word):
            for start in range(0, len(piece), width):
                part = piece[start : start + width]
                if len(lines[-1] + part) <= width:
                    lines[-1] += part
                else:
                    lines.append(part)
    return [line for line in lines if line]
