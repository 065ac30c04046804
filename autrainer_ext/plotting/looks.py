"""Looks of runs and criteria that differ in colour and, for grey prints, in shape or line style."""

from dataclasses import dataclass

# distinguishable with any colour vision
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
_MARKERS = ("o", "s", "^", "D", "v", "P", "<", "X", ">", "p", "h", "*")
_LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Look:
    """How the points and lines of one run or criterion are drawn.

    Attributes:
        color: Colour.
        marker: Shape of the points.
        line: Style of the lines.
    """

    color: str
    marker: str
    line: str


def looks(n: int) -> list[Look]:
    """Looks that differ in shape or line style even without colours.

    Args:
        n: Number of looks; the first 48 differ.

    Returns:
        The looks.
    """
    return [
        Look(
            _COLORS[number % len(_COLORS)],
            _MARKERS[number % len(_MARKERS)],
            _LINES[number // len(_MARKERS) % len(_LINES)],
        )
        for number in range(n)
    ]
