"""Plugin `LabelNoise`: ranked list of labels that are probably wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path

from autrainer_ext.difficulty.label_evidence import collect_evidence
from autrainer_ext.runs import Run, matching_runs
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import write_table

from .tables import confusion_table, suspect_table, validation_table


class LabelNoise(AbstractPlugin):
    """Ranked list of suspicious labels, with the precision of every beginning of the list.

    Runs whose dev splits contain every recording once, such as those of all folds, judge each
    label by a network that was not trained on it. Recordings that no run held out are ordered by
    the area under the margin.

    Files: `suspects.csv` (all recordings, the most suspicious label first), `confusions.csv`
    (estimated numbers of confused labels), with `truth` also `validation.csv`; with `gallery` audio
    and spectrograms of the most suspicious recordings.

    The defaults of the settings are in `conf/plugin/LabelNoise.yaml`.

    Args:
        runs: Pattern of the names of the runs, with wildcards.
        test: Whether to judge the recordings of the test splits, too.
        truth: Column with the true classes, to validate the list on planted mislabels; or None.
        gallery: Whether to write the gallery, which needs the data.
        shown: Number of recordings in the gallery.

    Raises:
        ValueError: If a setting has a wrong value.
    """

    folder = "label_noise"
    tasks = ("classification",)

    def __init__(
        self, *, runs: str, test: bool, truth: str | None, gallery: bool, shown: int
    ) -> None:
        if shown < 1:
            raise ValueError(f"Argument 'shown' must be at least 1, got {shown}.")
        self.runs = runs
        self.test = test
        self.truth = truth
        self.gallery = gallery
        self.shown = shown

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Rank labels by suspicion.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If no run matches the pattern, or runs have different classes or labels.
        """
        chosen = matching_runs(runs, self.runs)
        evidence = collect_evidence(chosen, test=self.test)
        suspects = suspect_table(evidence)
        validation = None if self.truth is None else validation_table(suspects, self.truth)
        write_table(suspects, folder / "suspects.csv")
        write_table(confusion_table(evidence), folder / "confusions.csv")
        if validation is not None:
            write_table(validation, folder / "validation.csv")
        n_held_out, n_samples = int((evidence.held_out_runs > 0).sum()), len(evidence.labels)
        if n_held_out < n_samples:
            print(
                f"Labels: only {n_held_out} of {n_samples} recordings were held out by a run. The "
                "others are ordered by the area under the margin, without a precision: add runs "
                "whose dev splits contain them.",
                file=sys.stderr,
            )
        if self.gallery:
            from .gallery import write_gallery

            with self.style.applied():
                write_gallery(chosen, suspects.head(self.shown), folder / "gallery")
