"""Pictures of the gallery: spectrograms of samples, Grad-CAM, and one sheet per class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from tqdm import tqdm

from autrainer_ext.atomic import atomic_file
from autrainer_ext.difficulty.from_runs import MeasuredRun
from autrainer_ext.plotting import draw_explained_spectrogram, draw_spectrogram
from autrainer_ext.plotting.page import fold, page_size, set_title
from autrainer_ext.runs import Run
from autrainer_ext.serving.front_end import find_front_end, read_transforms
from autrainer_ext_plugins.writing import save_figure

_KINDS = ("easiest", "medium", "hardest")


def save_pictures(
    measured: MeasuredRun,
    features: Mapping[int, np.ndarray],
    attributions: Mapping[int, np.ndarray],
    predicted: Mapping[int, str],
    stems: Mapping[int, str],
    folder: Path,
) -> None:
    """Save two pictures per sample: the spectrogram without and with Grad-CAM.

    Args:
        measured: Explained run.
        features: Spectrogram of each sample, shape (frames, bins).
        attributions: Grad-CAM of each sample, shape (frames, bins).
        predicted: Name of the class that the explained network predicts for each sample.
        stems: File name of each sample without suffix.
        folder: Folder to write to.
    """
    scale = _axes_of(measured.run)
    for index, stem in tqdm(stems.items(), desc="Gallery", leave=False):
        true = measured.class_names[measured.targets[index]]
        for suffix, overlay, title in (
            ("", None, f"{stem}: {true}"),
            (
                ".gradcam",
                attributions[index],
                f"{stem}: {true}, predicted as {predicted[index]}; colour: Grad-CAM",
            ),
        ):
            figure, axes = plt.subplots(figsize=page_size(share=0.6, lines=3))
            draw_explained_spectrogram(axes, features[index], overlay, **scale)
            set_title(figure, title)
            with atomic_file(folder / f"{stem}{suffix}.png") as path:
                figure.savefig(path, dpi=150)
            plt.close(figure)


def save_sheets(
    table: pd.DataFrame, features: Mapping[int, np.ndarray], run: Run, folder: Path
) -> None:
    """Save one sheet per class, with a row of spectrograms for each kind of example.

    Args:
        table: Index of the gallery.
        features: Spectrogram of each sample, shape (frames, bins).
        run: Run whose front end computed the spectrograms.
        folder: Folder to write to.
    """
    scale = _axes_of(run)
    for group, rows in table.groupby("group", sort=False):
        width = int(rows["position"].max())
        figure, panels = plt.subplots(
            len(_KINDS),
            width,
            figsize=page_size(share=len(_KINDS) * 0.75 / width, lines=6 + 4 * len(_KINDS)),
            squeeze=False,
            sharex=True,
            sharey=True,
        )
        for axes in panels.flat:
            axes.set_visible(False)
        for row in rows.to_dict("records"):
            axes = panels[_KINDS.index(row["kind"]), row["position"] - 1]
            axes.set_visible(True)
            draw_spectrogram(axes, features[row["index"]], **scale)
            title = (
                f"{row['kind']}: {Path(str(row['filename'])).stem}, "
                f"{row['cumulative_accuracy']:.0%} right"
            )
            axes.set_title(fold(title, share=0.85 / width), fontsize="small")
            axes.label_outer()
        title = f"{group} of {run.config['dataset']['id']}: share of right checkpoints of all runs"
        set_title(figure, title)
        save_figure(figure, folder / str(group).replace(" ", "_").replace("/", "_"))


def _axes_of(run: Run) -> dict[str, Any]:
    """Axes of the spectrograms; empty if the front end is unknown."""
    found = find_front_end(read_transforms(run.path))
    return {} if found is None else found.axes
