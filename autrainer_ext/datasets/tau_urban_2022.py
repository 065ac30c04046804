"""TAU Urban Acoustic Scenes 2022 Mobile, the dataset of DCASE 2022 to 2025, task 1."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autrainer_ext.atomic import atomic_folder
from autrainer_ext.errors import unknown_name

from .cached import CachedClassificationDataset
from .folders import is_built, link, read_csv

TREE = "TAU-urban-acoustic-scenes-2022-mobile-development"
_TABLE = "tau22.csv"


class TAUUrbanAcousticScenes2022Mobile(CachedClassificationDataset):
    """Ten acoustic scenes in ten cities on nine devices: the official development set.

    139,620 training and 29,680 test clips of one second. Devices s4, s5 and s6 occur in the test
    split only. The evaluation set is not used, because its labels are not public.

    The dev split consists of complete locations of the official training clips, so that models
    are not selected with test labels. The baselines of the challenge select with test labels.

    Args:
        train_percent: Percentage of the training clips to use, in (0, 100]. Smaller subsets are
            contained in larger ones and preserve the shares of scenes and devices. They are
            drawn here; for the lists of the challenge, use `train_clips`.
        dev_share: Share of the training clips of every scene for the dev split, in [0, 1). With
            0 the dev split is the test split, as in the baselines.
        split_seed: Seed of both random draws, independent of the seed of training.
        train_clips: CSV or TSV file with a column `filename` that lists the training clips, such
            as `split5.csv` of the challenge. It must not be in the dataset folder, where
            preprocessing reads every table.
        dev_fold: Fold for the dev split, from the column `fold` of `train_clips`; replaces
            `dev_share`. The other folds form the training split.
        test_clips: File of test clips in the format of `train_clips`. Default: the official ones.
        source: Unpacked folder of the development set for `download`; not used afterwards.
        **kwargs: Arguments of `CachedClassificationDataset`.

    Raises:
        FileNotFoundError: If a file of clips does not exist.
        ValueError: If an argument is out of range, a listed clip is not part of the dataset, or
            a clip is in both the training and the test split.

    Source:
        Heittola et al. (2020), Acoustic scene classification in DCASE 2020 Challenge. Data:
        DOI 10.5281/zenodo.6337421, for non-commercial use.
    """

    def __init__(
        self,
        train_percent: float = 100,
        dev_share: float = 0.1,
        split_seed: int = 0,
        train_clips: str | None = None,
        dev_fold: int | None = None,
        test_clips: str | None = None,
        source: str | None = None,
        **kwargs: Any,  # noqa: ANN401  passed on
    ) -> None:
        if not 0 < train_percent <= 100:
            raise ValueError(f"Argument 'train_percent' must be in (0, 100], got {train_percent}.")
        if not 0 <= dev_share < 1:
            raise ValueError(f"Argument 'dev_share' must be in [0, 1), got {dev_share}.")
        if dev_fold is not None and train_clips is None:
            raise ValueError(
                "Argument 'dev_fold' requires 'train_clips', the table with the folds."
            )
        self.train_percent = train_percent
        self.dev_share = dev_share
        self.split_seed = split_seed
        self.train_clips = train_clips
        self.dev_fold = dev_fold
        self.test_clips = test_clips
        self.source = source
        super().__init__(**kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Split `tau22.csv` into training, dev and test clips."""
        table = self.read_table(_TABLE, ["scene", "device", "city", "location", "split"])
        train, test = table[table["split"] == "train"], table[table["split"] == "test"]
        if self.test_clips is not None:
            test = _select(table, _read_clips(self.test_clips), self.test_clips)
        if self.train_clips is not None:
            clips = _read_clips(self.train_clips)
            train = _select(table, clips, self.train_clips)
        if self.train_clips is not None and self.dev_fold is not None:
            is_dev = _is_in_fold(clips, self.dev_fold, self.train_clips)
            train, dev = train[~is_dev], train[is_dev]
        elif self.dev_share == 0:
            dev = test
        else:
            is_dev = hold_out_locations(train, self.dev_share, self.split_seed)
            train, dev = train[~is_dev], train[is_dev]
        both = sorted(set(train["filename"]) & set(test["filename"]))
        if both:
            raise ValueError(
                f"{len(both)} clips are in both the training and the test split, "
                f"such as '{both[0]}'."
            )
        return nested_subset(train, self.train_percent / 100, self.split_seed), dev, test

    @staticmethod
    def download(path: str, source: str | None = None) -> None:
        """Create the dataset folder unless it exists.

        soundata provides the 16 archives and their checksums. An interrupted download is resumed
        by the next call.

        Args:
            path: Dataset folder: recordings in `default/audio/`, metadata in `tau22.csv`.
            source: Unpacked folder of the development set, to link instead of downloading.

        Raises:
            FileExistsError: If the folder exists but is incomplete.
            FileNotFoundError: If `source` lacks a table.
        """
        root = Path(path)
        if is_built(root, [_TABLE]):
            return
        archives = root.with_name(f"{root.name}.download")
        tree = Path(source) if source else _download(archives)
        with atomic_folder(root) as folder:
            table = read_setup(tree)
            (folder / "default" / "audio").mkdir(parents=True)
            link(table["filename"], tree, folder / "default")
            table.to_csv(folder / _TABLE, index=False)
        if not source:
            shutil.rmtree(archives)


def hold_out_locations(table: pd.DataFrame, share: float, seed: int) -> np.ndarray:
    """Hold out random locations of every scene until they contain a share of its clips.

    Args:
        table: Table with the columns scene, city and location.
        share: Share of the clips of every scene to reach or just exceed, in (0, 1).
        seed: Seed of the order of the locations.

    Returns:
        Whether each clip is held out, shape (rows,).

    Raises:
        ValueError: If a scene would be held out completely.
    """
    rng = np.random.default_rng(seed)
    place = table["city"] + "-" + table["location"].astype(str)
    held_out = np.zeros(len(table), dtype=bool)
    for scene in sorted(table["scene"].unique()):
        is_scene = (table["scene"] == scene).to_numpy()
        sizes = place[is_scene].value_counts().sort_index()
        sizes = sizes.iloc[rng.permutation(len(sizes))]
        before = sizes.cumsum() - sizes
        chosen = sizes.index[before < share * is_scene.sum()]
        if len(chosen) == len(sizes):
            raise ValueError(
                f"Scene '{scene}' has too few locations to hold out {share:.0%} of its clips."
            )
        held_out |= is_scene & place.isin(chosen).to_numpy()
    return held_out


def nested_subset(table: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Draw a share of the clips of every scene and device, at least one of each.

    Args:
        table: Table with the columns scene and device.
        share: Share of the clips, in (0, 1]. With the same seed, smaller subsets are contained in
            larger ones.
        seed: Seed of the random draw.

    Returns:
        The drawn rows, in the order of the table.
    """
    shuffled = table.sample(frac=1, random_state=seed)
    groups = shuffled.groupby(["scene", "device"])["scene"]
    is_chosen = groups.cumcount() < np.ceil(share * groups.transform("size"))
    return table[is_chosen.reindex(table.index)]


def read_setup(tree: Path) -> pd.DataFrame:
    """Read the official split, and the metadata from the file names.

    Args:
        tree: Unpacked folder of the development set.

    Returns:
        Columns filename, scene, device, city, location, segment and split, `train` or `test`.
    """
    setup = tree / "evaluation_setup"
    tables = [
        read_csv(setup / f"fold1_{name}.csv", ["filename"], sep="\t")[["filename"]].assign(
            split=split
        )
        for name, split in (("train", "train"), ("evaluate", "test"))
    ]
    table = pd.concat(tables, ignore_index=True)
    stem = table["filename"].str.removeprefix("audio/").str.removesuffix(".wav")
    parts = ["scene", "city", "location", "recording", "second", "device"]
    table[parts] = stem.str.split("-", expand=True)
    table["segment"] = table["recording"] + "-" + table["second"]
    return table[["filename", "scene", "device", "city", "location", "segment", "split"]]


def _download(archives: Path) -> Path:
    import soundata

    dataset = soundata.initialize("tau2022uas_mobile", data_home=str(archives))
    wanted = [
        key for key in dataset.remotes if key.startswith(("development.audio", "development.meta"))
    ]
    dataset.download(partial_download=wanted)
    return archives / TREE


def _read_clips(file: str) -> pd.DataFrame:
    with open(file, "rb") as lines:
        separator = "\t" if b"\t" in lines.readline() else ","
    return read_csv(file, ["filename"], sep=separator)


def _select(table: pd.DataFrame, clips: pd.DataFrame, file: str) -> pd.DataFrame:
    unknown = clips.loc[~clips["filename"].isin(table["filename"]), "filename"]
    if len(unknown):
        raise ValueError(
            f"{len(unknown)} clips of '{file}' are not in {_TABLE}, "
            f"the first one is '{unknown.iloc[0]}'."
        )
    return table.set_index("filename").loc[clips["filename"]].reset_index()


def _is_in_fold(clips: pd.DataFrame, fold: int, file: str) -> np.ndarray:
    if "fold" not in clips:
        raise unknown_name("column", "fold", clips, where=f"'{file}'")
    if fold not in clips["fold"].to_numpy():
        raise unknown_name("fold", fold, sorted(clips["fold"].unique()), where=f"'{file}'")
    return (clips["fold"] == fold).to_numpy()
