"""Gallery of samples: audio, what the network sees, where it looks, what every run says."""

import copy
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.atomic import atomic_file
from autrainer_ext.difficulty import Ranks, SampleDifficulty, correlate_pairs, select_examples
from autrainer_ext.difficulty.from_runs import MeasuredRun
from autrainer_ext.runs import Run, read_outputs
from autrainer_ext.serving.front_end import find_front_end, read_transforms
from autrainer_ext_plugins.writing import save_figure, write_table

KINDS = ("easiest", "medium", "hardest")
OVERALL = "all classes"


def write_gallery(
    measured: Sequence[MeasuredRun],
    split: str,
    difficulty: SampleDifficulty,
    ranks: Ranks,
    folder: Path,
    *,
    examples: int,
    layer: str | None,
    seed: int,
) -> None:
    """Show the easiest, medium and hardest samples, per class and overall.

    Writes `index.csv`, `samples/` with audio and pictures of every sample that is shown, and a
    sheet for every class. The network that is explained is that of the run which agrees most
    with the ensemble, for the class it predicts.

    Args:
        measured: Runs of an ensemble over the same samples.
        split: Split of the samples.
        difficulty: Pooled measures.
        ranks: Places between easiest and hardest.
        folder: Folder to write to, made if need be.
        examples: How many samples of each kind.
        layer: Layer for Grad-CAM, None for an automatic choice.
        seed: Of the draw within ties.

    Raises:
        ValueError: If data or network cannot be loaded, or there is no such layer.
    """
    rows = list(_choose(measured[0], ranks, examples, seed))
    shown = np.unique([row["index"] for row in rows])
    spokesman = _closest_to(measured, difficulty.cumulative_accuracy)
    features, attributions = _explain(spokesman.run, split, shown, layer)
    predictions = {each.run.name: _predictions(each, split) for each in measured}
    stems = _save_samples(measured[0], shown, folder / "samples")
    _draw_samples(spokesman, features, attributions, predictions[spokesman.run.name], stems, folder)
    table = pd.DataFrame(rows)
    index = table["index"].to_numpy()
    table["filename"] = measured[0].samples[_index_column(measured[0].run)].to_numpy()[index]
    table["target"] = [measured[0].class_names[measured[0].targets[i]] for i in index]
    for name in ("cumulative_accuracy", "margin"):
        table[name] = getattr(difficulty, name)[index]
    for name in ("rank", "tie_size"):
        table[name] = getattr(ranks, name)[index]
    audio = {i: sorted((folder / "samples").glob(f"{stem}.audio.*")) for i, stem in stems.items()}
    table["audio"] = [f"samples/{audio[i][0].name}" if audio[i] else "" for i in index]
    table["picture"] = [f"samples/{stems[i]}.png" for i in index]
    table["explanation"] = [f"samples/{stems[i]}.gradcam.png" for i in index]
    table["explained_run"] = spokesman.run.name
    for name, predicted in predictions.items():
        table[name] = predicted[index]
    _save_sheets(table, features, spokesman.run, folder)
    write_table(table, folder / "index.csv")


def _choose(
    measured: MeasuredRun, ranks: Ranks, examples: int, seed: int
) -> Iterator[dict[str, object]]:
    """Rows of the index: which samples are shown where; ties that are cut are told."""
    groups = [(OVERALL, np.arange(len(measured.targets)))]
    groups += [
        (measured.class_names[label], np.flatnonzero(measured.targets == label))
        for label in np.unique(measured.targets)
    ]
    cut: list[str] = []
    for group, members in groups:
        part = Ranks(*(getattr(ranks, name)[members] for name in Ranks.__dataclass_fields__))
        for kind, chosen in select_examples(part, examples, seed=seed).items():
            tied = [int((part.rank == part.rank[sample]).sum()) for sample in chosen]
            for position, sample in enumerate(chosen):
                yield {
                    "group": group,
                    "kind": kind,
                    "position": position + 1,
                    "index": members[sample],
                    "tied_in_group": tied[position],
                }
            if max(tied, default=0) > examples:
                cut.append(f"{group}, {kind}: {max(tied)}")
    if cut:
        print(
            f"Ties larger than {examples} samples, drawn with seed {seed}: {'; '.join(cut)}",
            file=sys.stderr,
        )


def _closest_to(measured: Sequence[MeasuredRun], easiness: np.ndarray) -> MeasuredRun:
    """The run whose order of the samples agrees most with that of the ensemble."""
    scores = np.stack([easiness, *(each.difficulty.hits for each in measured)])
    pairs = [(0, i) for i in range(1, len(scores))]
    found = correlate_pairs(scores, pairs, n_resamples=0).observed[:, 0]
    return measured[int(np.argmax(np.nan_to_num(found, nan=-1)))]


def _explain(
    run: Run, split: str, shown: np.ndarray, layer: str | None
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Features as the network sees them and Grad-CAM of what it predicts, by sample."""
    import torch

    from autrainer_ext.explanation.attributors import grad_cam
    from autrainer_ext.runs.load import load_run

    try:
        loaded = load_run(run)
    except Exception as error:  # whatever a data set of the user raises
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(
            f"the data of '{run.name}' cannot be loaded for the gallery (-o gallery=false leaves "
            f"it out): {reason}"
        ) from error
    samples = copy.copy(getattr(loaded.data, f"{split}_dataset"))
    samples.transform = loaded.data.dev_transform
    features, attributions = {}, {}
    for index in shown.tolist():
        sample: torch.Tensor = samples[index][0][None]
        with torch.inference_mode():
            predicted = loaded.model(sample).argmax(dim=1)
        explained = grad_cam(loaded.model, sample, predicted, layer=layer)
        features[index] = sample[0].mean(dim=0).numpy()
        attributions[index] = explained[0].mean(dim=0).numpy()
    return features, attributions


def _predictions(measured: MeasuredRun, split: str) -> np.ndarray:
    """Class a run predicts for every sample at its last checkpoint that was scored."""
    iteration = measured.difficulty.iterations[-1]
    outputs = read_outputs(measured.run, split, iteration).outputs
    return np.array(measured.class_names)[outputs.argmax(axis=1)]


def _save_samples(measured: MeasuredRun, shown: np.ndarray, folder: Path) -> dict[int, str]:
    """Copy the audio of samples; names of their files without suffix."""
    config = measured.run.config["dataset"]
    names = measured.samples[_index_column(measured.run)]
    stems, missing = {}, 0
    for index in shown.tolist():
        source = Path(config["path"], "default", str(names[index]))
        stems[index] = f"{index}_{source.stem}"
        if source.is_file():
            with atomic_file(folder / f"{stems[index]}.audio{source.suffix}") as path:
                shutil.copyfile(source, path)
        else:
            missing += 1
    if missing:
        print(
            f"No audio for {missing} of {len(shown)} samples of the gallery in "
            f"'{Path(config['path'], 'default')}'.",
            file=sys.stderr,
        )
    return stems


def _draw_samples(
    spokesman: MeasuredRun,
    features: dict[int, np.ndarray],
    attributions: dict[int, np.ndarray],
    predicted: np.ndarray,
    stems: dict[int, str],
    folder: Path,
) -> None:
    """Pictures of every sample, without and with Grad-CAM."""
    from matplotlib import pyplot as plt

    from autrainer_ext.plotting import draw_explained_spectrogram

    scale = _axes_of(spokesman.run)
    for index, stem in tqdm(stems.items(), desc="Gallery", leave=False):
        true = spokesman.class_names[spokesman.targets[index]]
        for suffix, overlay, title in (
            ("", None, f"{stem}: {true}"),
            (".gradcam", attributions[index], f"{true}, predicted as {predicted[index]}"),
        ):
            figure, axes = plt.subplots(figsize=(4, 3), layout="constrained")
            draw_explained_spectrogram(axes, features[index], overlay, **scale)
            axes.set_title(title, fontsize=9)
            with atomic_file(folder / "samples" / f"{stem}{suffix}.png") as path:
                figure.savefig(path, dpi=100)
            plt.close(figure)


def _save_sheets(
    table: pd.DataFrame, features: dict[int, np.ndarray], run: Run, folder: Path
) -> None:
    """One picture for every class: a row of examples of each kind."""
    from matplotlib import pyplot as plt

    from autrainer_ext.plotting import draw_spectrogram

    scale = _axes_of(run)
    for group, rows in table.groupby("group", sort=False):
        width = int(rows["position"].max())
        figure, panels = plt.subplots(
            len(KINDS),
            width,
            figsize=(2.4 * width + 0.6, 6.6),
            layout="constrained",
            squeeze=False,
            sharex=True,
            sharey=True,
        )
        for axes in panels.flat:
            axes.set_visible(False)
        for row in rows.to_dict("records"):
            axes = panels[KINDS.index(row["kind"]), row["position"] - 1]
            axes.set_visible(True)
            draw_spectrogram(axes, features[row["index"]], **scale)
            axes.set_title(
                f"{row['kind']}: {Path(str(row['filename'])).stem}\n"
                f"right {row['cumulative_accuracy']:.0%}",
                fontsize=8,
            )
            axes.label_outer()
        figure.suptitle(f"{group} ({run.config['dataset']['id']})", fontsize=10)
        save_figure(figure, folder / str(group).replace(" ", "_").replace("/", "_"))


def _axes_of(run: Run) -> dict[str, object]:
    found = find_front_end(read_transforms(run.path))
    return {} if found is None else found.axes


def _index_column(run: Run) -> str:
    return run.config["dataset"]["index_column"]
