"""Entropy triangle of true and predicted labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autrainer_ext.errors import unknown_name
from autrainer_ext.information import (
    VIEWS,
    TrianglePoint,
    accuracy,
    balanced_accuracy,
    confusion_counts,
    confusion_intervals,
    ema,
    entropies,
    nit,
    triangle_points,
)
from autrainer_ext.information.posterior import N_DRAWS

if TYPE_CHECKING:
    import pandas as pd
    from mpltern.ternary import TernaryAxes

_COORDINATES = ("divergence", "mutual_information", "variation")
_SCORES = ("accuracy", "balanced_accuracy", "ema", "nit")


@dataclass(frozen=True, eq=False, repr=False)
class EntropyTriangle:
    """Entropy triangle of a classifier; see `entropy_triangle`.

    Attributes:
        classes: Labels of the classes, in the order of rows and columns of `counts`.
        counts: Confusion matrix, shape (C, C); rows are true classes.
    """

    classes: list
    counts: np.ndarray

    @property
    def true(self) -> TrianglePoint:
        """Point of the true labels: divergence, mutual information and variation, each a number."""
        return self._points["true"]

    @property
    def pred(self) -> TrianglePoint:
        """Point of the predicted labels."""
        return self._points["pred"]

    @property
    def joint(self) -> TrianglePoint:
        """Point of true and predicted labels together."""
        return self._points["joint"]

    @property
    def scores(self) -> dict[str, float]:
        """Accuracy, balanced accuracy, EMA and NIT by name, each from 0 to 1."""
        return dict(zip(_SCORES, _measures(self.counts)[-len(_SCORES) :].tolist(), strict=True))

    def intervals(
        self, *, confidence: float = 0.95, n_draws: int = N_DRAWS, seed: int = 0
    ) -> "pd.DataFrame":
        """Table of all coordinates and scores with intervals over the samples.

        Args:
            confidence: Confidence level, in (0, 1).
            n_draws: Number of posterior draws; see `information.confusion_intervals`.
            seed: Seed of the draws.

        Returns:
            Columns `view` ("true", "pred" or "joint"; empty for scores, which have no view),
            `measure`, `value`, `corrected` (without the bias of few samples), `low`, `high` and
            `n_needed`, the number of samples from which there is an interval; with fewer,
            `corrected` and the limits are nan.

        Raises:
            ValueError: If an argument is out of range.
        """
        import pandas as pd

        names = [(view, name) for view in VIEWS for name in _COORDINATES]
        names += [("", name) for name in _SCORES]
        table = pd.DataFrame(names, columns=["view", "measure"])
        table["value"] = _measures(self.counts)
        found = confusion_intervals(self.counts, confidence=confidence, n_draws=n_draws, seed=seed)
        intervals = [found.get(f"{name}_{view}") or found[name] for view, name in names]
        for column in ("corrected", "low", "high", "n_needed"):
            table[column] = [getattr(interval, column) for interval in intervals]
        return table

    def plot(
        self, ax: "TernaryAxes | None" = None, *, color: str = "#0072B2", marker: str = "o"
    ) -> "TernaryAxes":
        """Draw the three points in the whole triangle.

        A new figure has the width and font size of matplotlib; those of a paper are set by
        `with autrainer_ext.style.Style(column_width=85).applied():`.

        Args:
            ax: Axes of the projection "ternary", such as those of an earlier call, to draw several
                classifiers in one triangle. Default: a new figure.
            color: Colour of the points.
            marker: Shape of the points.

        Returns:
            The axes.

        Raises:
            ValueError: If the axes have another projection.
        """
        from matplotlib import rcParams

        from autrainer_ext.plotting import Look
        from autrainer_ext.plotting.triangle import (
            draw_triangle,
            draw_views,
            triangle_page,
            view_handles,
        )

        if ax is None:
            n = int(self.counts.sum())
            title = f"Entropy triangle, {len(self.classes)} classes (n = {n})"
            figure, (ax,) = triangle_page(1, title=title, below=3 * rcParams["font.size"] / 72)
            draw_triangle(ax)
            figure.legend(handles=view_handles(), loc="lower center", ncols=3)
        if getattr(ax, "name", "") != "ternary":
            raise ValueError(
                f"The axes need the projection 'ternary', got '{getattr(ax, 'name', ax)}': "
                "plt.subplot(projection='ternary') after importing mpltern."
            )
        return draw_views(ax, self._points, Look(color, marker, "-"))

    def __repr__(self) -> str:
        point = self.pred
        values = ", ".join(
            f"{name.replace('_', ' ')} {getattr(point, name):.3f}" for name in _COORDINATES
        )
        n_samples = f"{int(self.counts.sum())} samples of {len(self.classes)} classes"
        return f"EntropyTriangle({n_samples}; predicted labels: {values})"

    @property
    def _points(self) -> dict[str, TrianglePoint]:
        return {
            view: TrianglePoint(*(float(getattr(point, name)) for name in _COORDINATES))  # type: ignore[arg-type]  # numbers are arrays of no dimension
            for view, point in triangle_points(entropies(self.counts)).items()
        }


def entropy_triangle(
    y_true: object, y_pred: object, *, classes: Sequence | None = None
) -> EntropyTriangle:
    """Place a classifier in the entropy triangle, from its true and predicted labels.

    The coordinates of a point are shares that sum to one: mutual information (1: perfect on
    balanced classes), variation (1: guessing) and divergence (1: a single class).

    Args:
        y_true: True labels of N samples, at least one: a list, array, tensor or pandas column of
            text, numbers, bools or any other values that can be compared.
        y_pred: Predicted labels of the same samples, of the same kind.
        classes: All classes, in the order to use. The number of classes is the unit of the
            coordinates, so give it if a class may be missing from both. Default: the labels that
            occur, sorted.

    Returns:
        The triangle, with the points `true`, `pred` and `joint`, `scores`, `intervals()` and
        `plot()`.

    Raises:
        ValueError: If the labels are not one per sample, are missing, differ in number or kind, or
            are not in `classes`.

    Source:
        Valverde-Albacete and Pelaez-Moreno (2014), 100% classification accuracy considered
        harmful. 10.1371/journal.pone.0084217.

    Example:
        >>> t = entropy_triangle(["sea", "sea", "car", "car"], ["sea", "sea", "car", "sea"])
        >>> t.classes, t.scores["accuracy"]
        (['car', 'sea'], 0.75)
        >>> round(t.pred.divergence, 3), round(t.pred.mutual_information, 3)
        (0.189, 0.311)
    """
    true, pred = _as_list(y_true, "y_true"), _as_list(y_pred, "y_pred")
    if len(true) != len(pred):
        raise ValueError(
            f"Labels must be as many true as predicted ones, got {len(true)} and {len(pred)}."
        )
    if not true:
        raise ValueError("There are no labels: at least one sample is needed.")
    if {_kind(true), _kind(pred)} == {"text", "not text"}:
        raise ValueError(
            f"True labels are {_kind(true)} (such as {true[0]!r}), but predicted labels are "
            f"{_kind(pred)} (such as {pred[0]!r}): give both as the same kind."
        )
    labels = _sorted({*true, *pred}) if classes is None else list(classes)
    places = {label: place for place, label in enumerate(labels)}
    for label in (*true, *pred):
        if label not in places:
            raise unknown_name("label", label, labels)
    codes_true, codes_pred = ([places[label] for label in each] for each in (true, pred))
    return EntropyTriangle(labels, confusion_counts(codes_true, codes_pred, len(labels)))


def _measures(counts: np.ndarray) -> np.ndarray:
    """Coordinates of all views, then the scores, shape (..., 13), of counts, shape (..., C, C)."""
    h = entropies(counts)
    points = triangle_points(h).values()
    coordinates = [getattr(point, name) for point in points for name in _COORDINATES]
    return np.stack(
        [*coordinates, accuracy(counts), balanced_accuracy(counts), ema(h), nit(h)], axis=-1
    )


def _as_list(labels: object, name: str) -> list:
    """Labels as values of Python, one per sample."""
    if isinstance(labels, str) or not hasattr(labels, "__iter__"):
        raise ValueError(f"Argument '{name}' must hold one label per sample, got {labels!r}.")
    shape = getattr(labels, "shape", None)
    if shape is not None and len(shape) != 1:
        raise ValueError(
            f"Argument '{name}' must hold one label per sample, got the shape {tuple(shape)}: "
            "take the argmax of scores, or one column of a table."
        )
    values = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    values = [each.item() if isinstance(each, np.generic) else each for each in values]
    for place, value in enumerate(values):
        is_missing = value is None or type(value).__name__ in ("NAType", "NaTType")
        if is_missing or value != value:
            raise ValueError(f"Argument '{name}' has no label at position {place}.")
        if isinstance(value, list | dict | set):
            raise ValueError(f"Argument '{name}' must hold one label per sample, got {value!r}.")
    return values


def _kind(labels: list) -> str:
    is_text = {isinstance(label, str) for label in labels}
    if len(is_text) > 1:
        return "mixed"
    return "text" if True in is_text else "not text"


def _sorted(labels: set) -> list:
    try:
        return sorted(labels)
    except TypeError:  # values of types that cannot be compared
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))
