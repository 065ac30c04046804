"""Gallery of example samples: audio, spectrogram, Grad-CAM and the predictions of all runs."""

import copy
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from autrainer_ext.atomic import atomic_file
from autrainer_ext.compat import unpack
from autrainer_ext.difficulty import Ranks, SampleDifficulty, correlate_pairs, select_examples
from autrainer_ext.difficulty.from_runs import MeasuredRun
from autrainer_ext.runs import Run, read_columns, read_outputs
from autrainer_ext_plugins.writing import write_table

from .pictures import save_pictures, save_sheets

_OVERALL = "all classes"


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
    """Write a gallery of the easiest, medium and hardest samples, per class and overall.

    Writes `index.csv`, the folder `samples` with audio and pictures of each sample, and one sheet
    per class; nothing if the features are neither spectrograms nor images. Grad-CAM explains the
    class that the explained network predicts: the last scored checkpoint (the best one if its
    weights were not kept) of the run that agrees most with the ensemble.

    Args:
        measured: Runs of an ensemble on the same samples.
        split: Split of the samples.
        difficulty: Pooled measures.
        ranks: Ranks from easiest to hardest.
        folder: Folder to write to; it is created if it is missing.
        examples: Number of samples of each kind.
        layer: Layer for Grad-CAM; None chooses it automatically.
        seed: Seed of the draws within ties.

    Raises:
        ValueError: If the data or the network cannot be loaded, or the layer does not exist.
    """
    rows = list(_choose(measured[0], ranks, examples, seed))
    shown = np.unique([row["index"] for row in rows])
    explained = _most_typical(measured, difficulty.cumulative_accuracy)
    checkpoint = _checkpoint(explained)
    features, attributions, explained_classes = _explain(
        explained.run, checkpoint, split, shown, layer
    )
    if not features:
        print(
            f"No gallery: the features of '{explained.run.name}' are no spectrograms or images.",
            file=sys.stderr,
        )
        return
    predictions = {each.run.name: _predictions(each, split) for each in measured}
    stems = _save_samples(measured[0], shown, folder / "samples")
    save_pictures(
        explained,
        features,
        attributions,
        {i: explained.class_names[label] for i, label in explained_classes.items()},
        stems,
        folder / "samples",
    )
    table = _describe(rows, measured[0], difficulty, ranks)
    index = table["index"].to_numpy()
    audio = {i: sorted((folder / "samples").glob(f"{stem}.audio.*")) for i, stem in stems.items()}
    table["audio"] = [f"samples/{audio[i][0].name}" if audio[i] else "" for i in index]
    table["picture"] = [f"samples/{stems[i]}.png" for i in index]
    table["explanation"] = [f"samples/{stems[i]}.gradcam.png" for i in index]
    table["explained_run"] = explained.run.name
    table["explained_checkpoint"] = checkpoint
    table["explained_class"] = [explained.class_names[explained_classes[i]] for i in index]
    for name, predicted in predictions.items():
        table[name] = predicted[index]
    save_sheets(table, features, explained.run, folder)
    write_table(table, folder / "index.csv")


def _choose(
    measured: MeasuredRun, ranks: Ranks, examples: int, seed: int
) -> Iterator[dict[str, object]]:
    """Select the examples of each group, and print groups in which ties had to be broken."""
    groups = [(_OVERALL, np.arange(len(measured.targets)))]
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


def _describe(
    rows: list[dict[str, object]],
    measured: MeasuredRun,
    difficulty: SampleDifficulty,
    ranks: Ranks,
) -> pd.DataFrame:
    """Table of the selected samples with their names, classes and difficulty."""
    table = pd.DataFrame(rows)
    index = table["index"].to_numpy()
    table["filename"] = measured.samples[read_columns(measured.run).index].to_numpy()[index]
    table["target"] = [measured.class_names[measured.targets[i]] for i in index]
    for name in ("cumulative_accuracy", "margin"):
        table[name] = getattr(difficulty, name)[index]
    for name in ("rank", "tie_size"):
        table[name] = getattr(ranks, name)[index]
    return table


def _most_typical(measured: Sequence[MeasuredRun], easiness: np.ndarray) -> MeasuredRun:
    """Run whose order of the samples agrees most with the order of the ensemble."""
    scores = np.stack([easiness, *(each.difficulty.hits for each in measured)])
    pairs = [(0, i) for i in range(1, len(scores))]
    found = correlate_pairs(scores, pairs, n_resamples=0).observed[:, 0]
    return measured[int(np.argmax(np.nan_to_num(found, nan=-1)))]


def _explain(
    run: Run, checkpoint: str, split: str, shown: np.ndarray, layer: str | None
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], dict[int, int]]:
    """Features, Grad-CAM of the predicted class and that class, by sample.

    All are empty without spectrograms.
    """
    import torch

    from autrainer_ext.explanation.attributors import grad_cam
    from autrainer_ext.runs.load import load_run
    from autrainer_ext.serving.forward import ForwardPass

    try:
        loaded = load_run(run, checkpoint)
    except Exception as error:  # a data set of the user may raise anything
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(
            f"The data of run '{run.name}' cannot be loaded for the gallery (-o gallery=false "
            f"omits it): {reason}"
        ) from error
    samples = copy.copy(getattr(loaded.data, f"{split}_dataset"))
    samples.transform = loaded.data.dev_transform
    forward = ForwardPass(loaded.model, device="cpu", n_expected=len(shown))
    features, attributions, predicted = {}, {}, {}
    for index in shown.tolist():
        sample: torch.Tensor = unpack(samples[index])[0][None]
        if sample.ndim != 4:
            return {}, {}, {}
        target = forward(sample).argmax(dim=1)
        attribution = grad_cam(forward, sample, target, layer=layer)
        predicted[index] = int(target)
        features[index] = sample[0].mean(dim=0).numpy()
        attributions[index] = attribution[0].mean(dim=0).numpy()
    return features, attributions, predicted


def _checkpoint(measured: MeasuredRun) -> str:
    """Folder of the weights of the last scored checkpoint, or of the best if they were not kept."""
    folder = measured.run.iterations[measured.difficulty.iterations[-1]]
    return folder.name if (folder / "model.pt").is_file() else "_best"


def _predictions(measured: MeasuredRun, split: str) -> np.ndarray:
    """Name of the predicted class of each sample at the last scored checkpoint of a run."""
    iteration = measured.difficulty.iterations[-1]
    outputs = read_outputs(measured.run, split, iteration).outputs
    return np.array(measured.class_names)[outputs.argmax(axis=1)]


def _save_samples(measured: MeasuredRun, shown: np.ndarray, folder: Path) -> dict[int, str]:
    """Copy the audio of samples; return the file name of each sample without suffix."""
    audio = Path(measured.run.config["dataset"].get("path", ""), "default")
    names = measured.samples[read_columns(measured.run).index]
    stems, missing = {}, 0
    for index in shown.tolist():
        source = audio / str(names[index])
        stems[index] = f"{index}_{source.stem}"
        if source.is_file():
            with atomic_file(folder / f"{stems[index]}.audio{source.suffix}") as path:
                shutil.copyfile(source, path)
        else:
            missing += 1
    if missing:
        print(
            f"No audio for {missing} of {len(shown)} samples of the gallery in '{audio}'.",
            file=sys.stderr,
        )
    return stems
