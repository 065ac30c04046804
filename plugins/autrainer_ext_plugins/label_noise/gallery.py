"""Audio and spectrograms of the recordings with the most suspicious labels."""

import copy
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from autrainer_ext.atomic import atomic_file
from autrainer_ext.compat import unpack
from autrainer_ext.plotting import draw_spectrogram
from autrainer_ext.plotting.page import fold, page_size, panel_grid, set_title
from autrainer_ext.runs import Run, read_columns, read_metadata
from autrainer_ext.serving.front_end import find_front_end, read_transforms
from autrainer_ext_plugins.writing import save_figure


def write_gallery(runs: Sequence[Run], suspects: pd.DataFrame, folder: Path) -> None:
    """Copy the audio of suspicious recordings and draw their spectrograms on one sheet.

    Args:
        runs: Runs on the recordings.
        suspects: First rows of the table of suspects.
        folder: Folder to write to; it is created if it is missing.

    Raises:
        ValueError: If the data of a run cannot be loaded.
    """
    features = _features(runs[0], set(suspects["filename"]))
    if not features:
        print("No sheet: the features are no spectrograms or images.", file=sys.stderr)
    else:
        _save_sheet(suspects, features, runs[0], folder)
    audio = Path(runs[0].config["dataset"].get("path", ""), "default")
    for row in suspects.to_dict("records"):
        source = audio / str(row["filename"])
        if source.is_file():
            with atomic_file(folder / f"{row['place']:03}_{source.name}") as path:
                shutil.copyfile(source, path)


def _features(run: Run, files: set[str]) -> dict[str, np.ndarray]:
    """Spectrogram of every file, shape (frames, bins); empty for other features."""
    from autrainer_ext.runs.load import load_data

    try:
        data = load_data(run)
    except Exception as error:  # a data set of the user may raise anything
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(
            f"The data of run '{run.name}' cannot be loaded for the gallery (-o gallery=false "
            f"omits it): {reason}"
        ) from error
    features = {}
    for split in ("train", "dev", "test"):
        names = read_metadata(run, split)[read_columns(run).index].astype(str)
        samples = copy.copy(getattr(data, f"{split}_dataset"))
        samples.transform = data.dev_transform
        for index in np.flatnonzero(names.isin(files)):
            values = unpack(samples[int(index)])[0]
            if values.ndim != 3:
                return {}
            features[names.iloc[index]] = values.mean(dim=0).numpy()
    return features


def _save_sheet(
    suspects: pd.DataFrame, features: dict[str, np.ndarray], run: Run, folder: Path
) -> None:
    found = find_front_end(read_transforms(run.path))
    scale = {} if found is None else found.axes
    n_rows, n_columns = panel_grid(len(suspects), least_mm=28)
    figure, panels = plt.subplots(
        n_rows,
        n_columns,
        figsize=page_size(share=0.75 * n_rows / n_columns, lines=6 + 4 * n_rows),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for axes in panels.flat[len(suspects) :]:
        axes.set_visible(False)
    for axes, row in zip(panels.flat, suspects.to_dict("records"), strict=False):
        draw_spectrogram(axes, features[row["filename"]], **scale)
        instead = f", rather {row['suggested']}" if row["suggested"] else ""
        title = f"{row['place']}: {Path(row['filename']).stem}, labelled {row['label']}{instead}"
        axes.set_title(fold(title, share=0.85 / n_columns), fontsize="small")
        axes.label_outer()
    set_title(figure, f"Most suspicious labels of {run.config['dataset']['id']}")
    save_figure(figure, folder / "suspects")
