"""Looks of runs and criteria that differ in colour and, for grey prints, in shape or line style."""

from dataclasses import dataclass

# Distinguishable with any colour vision; dark and light in turn. A shape returns eleven places
# further on, with a light colour for a dark one: shape and shade tell the first 22 apart in grey.
_COLORS = ("#0072B2", "#E69F00", "#882255", "#56B4E9", "#000000", "#CC79A7", "#6B4A12", "#44BB99")
_MARKERS = ("o", "s", "^", "D", "v", "P", "<", "X", ">", "p", "h")
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
        n: Number of looks. The first 44 differ in shape or line style, the first 88 in shape or
            colour.

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
