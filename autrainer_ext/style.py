"""Style of figures: the width of a column of the paper, and the size of its text."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

STYLE_SETTINGS = ("column_width", "font_size")
_LEAST = (50.0, 4.0)


@dataclass(frozen=True)
class Style:
    """Width and font size of figures that plugins and commands draw.

    Attributes:
        column_width: Width of every figure in mm, at least 50. Default: one column of a journal
            with two.
        font_size: Font size of titles and axis labels in pt, at least 4; tick labels and legends
            are 0.83 times as large.

    Raises:
        ValueError: If a value is out of range.

    Example:
        >>> Style(column_width=174).font_size
        7.0
    """

    column_width: float = 85.0
    font_size: float = 7.0

    def __post_init__(self) -> None:
        for name, least in zip(STYLE_SETTINGS, _LEAST, strict=True):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
                raise ValueError(
                    f"Setting '{name}' must be a number from {least:g} on, got {value!r}."
                )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Draw all figures of a block in this style, whatever the style outside of it."""
        from matplotlib import style  # imported late: it slows down the help texts

        with style.context(self._settings(), after_reset=True):
            yield

    def _settings(self) -> dict[str, Any]:
        width = self.column_width / 25.4
        return {
            "figure.figsize": (width, 0.75 * width),
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.h_pad": 0.02,
            "figure.constrained_layout.w_pad": 0.02,
            "font.size": self.font_size,
            "axes.titlesize": "medium",
            "figure.titlesize": "medium",
            "axes.labelsize": "medium",
            "axes.titlepad": 4,
            "axes.labelpad": 2,
            "xtick.labelsize": "small",
            "ytick.labelsize": "small",
            "xtick.major.size": 2.5,
            "ytick.major.size": 2.5,
            "legend.fontsize": "small",
            "legend.frameon": False,
            "legend.handletextpad": 0.4,
            "legend.columnspacing": 1.0,
            "axes.linewidth": 0.6,
            "lines.linewidth": 1.0,
            "lines.markersize": 3.5,
            "savefig.dpi": 300,
        }
