"""TAU Urban Acoustic Scenes 2022 Mobile, the data of the DCASE challenges 2022 to 2025, task 1."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from autrainer_ext.atomic import atomic_folder
from autrainer_ext.errors import unknown_name

from .cached import CachedClassificationDataset
from .folders import is_built, link

TREE = "TAU-urban-acoustic-scenes-2022-mobile-development"
_TABLE = "tau22.csv"


class TAUUrbanAcousticScenes2022Mobile(CachedClassificationDataset):
    """Ten acoustic scenes in ten cities on nine devices: the official development set.

    139,620 training and 29,680 test clips of one second; devices s4, s5 and s6 are only in the
    test set. Labels of the evaluation set are not public, so it is not used.

    Development clips are cut from the training clips, whole locations at a time, so that test
    labels never choose a model. The baselines of the challenge do choose by them.

    Args:
        train_percent: How much of the training clips to train on, more than 0 and at most 100.
            Smaller sets are part of larger ones and keep the shares of scenes and devices. They
            are drawn here; the lists of the challenge go into `train_clips`.
        dev_share: Share of the training clips of every scene for development, at least 0 and
            less than 1. 0 takes the test clips, as the baselines do.
        split_seed: Seed of both draws, not that of training.
        train_clips: CSV or TSV file with a column `filename`, for instance `split5.csv` of the
            challenge: only these clips are trained on. Not in the dataset folder, where
            preprocessing reads every table.
        dev_fold: Fold, named in a column `fold` of `train_clips`, for development instead of
            `dev_share`. The other folds are trained on.
        test_clips: Such a file with the test clips. Default: the official ones.
        source: Unpacked folder of the development set for `download`; not used afterwards.
        **kwargs: Those of `CachedClassificationDataset`.

    Raises:
        FileNotFoundError: If a file of clips does not exist.
        ValueError: If an argument is out of its range, a listed clip is not part of the dataset
            or a clip would be both trained and tested on.

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
        **kwargs,
    ) -> None:
        if not 0 < train_percent <= 100:
            raise ValueError(f"train_percent must be in (0, 100], got {train_percent}.")
        if not 0 <= dev_share < 1:
            raise ValueError(f"dev_share must be in [0, 1), got {dev_share}.")
        if dev_fold is not None and train_clips is None:
            raise ValueError("dev_fold needs train_clips, the table that holds the folds.")
        self.train_percent = train_percent
        self.dev_share = dev_share
        self.split_seed = split_seed
        self.train_clips = train_clips
        self.dev_fold = dev_fold
        self.test_clips = test_clips
        self.source = source
        super().__init__(**kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Cut `tau22.csv` into training, development and test clips."""
        table = self.read_table(_TABLE, ["scene", "device", "city", "location", "split"])
        train, test = table[table["split"] == "train"], table[table["split"] == "test"]
        if self.test_clips is not None:
            test = _select(table, _read_clips(self.test_clips), self.test_clips)
        if self.train_clips is not None:
            clips = _read_clips(self.train_clips)
            train = _select(table, clips, self.train_clips)
        if self.dev_fold is not None:
            is_dev = _is_in_fold(clips, self.dev_fold, self.train_clips)
            train, dev = train[~is_dev], train[is_dev]
        elif self.dev_share == 0:
            dev = test
        else:
            is_dev = hold_out_locations(train, self.dev_share, self.split_seed)
            train, dev = train[~is_dev], train[is_dev]
        both = sorted(set(train["filename"]) & set(test["filename"]))
        if both:
            raise ValueError(f"{len(both)} clips are both trained and tested on, as '{both[0]}'.")
        return nested_subset(train, self.train_percent / 100, self.split_seed), dev, test

    @staticmethod
    def download(path: str, source: str | None = None) -> None:
        """Make the dataset folder, unless it is there already.

        An interrupted download of the 16 archives is resumed the next time; they and their
        checksums are those of soundata.

        Args:
            path: Dataset folder: recordings in `default/audio/`, metadata in `tau22.csv`.
            source: Unpacked folder of the development set, to be linked rather than downloaded.

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
    """Choose locations of every scene until they hold a share of its clips.

    Args:
        table: Columns scene, city and location.
        share: Share of the clips of every scene that is reached or just exceeded, in (0, 1).
        seed: Seed of the order of the locations.

    Returns:
        Whether a clip is held out, shape (rows,).

    Raises:
        ValueError: If a scene would be held out altogether.
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
        table: Columns scene and device.
        share: In (0, 1]. With the same seed, smaller subsets are part of larger ones.
        seed: Seed of the draw.

    Returns:
        The chosen rows in their order.
    """
    shuffled = table.sample(frac=1, random_state=seed)
    groups = shuffled.groupby(["scene", "device"])["scene"]
    is_chosen = groups.cumcount() < np.ceil(share * groups.transform("size"))
    return table[is_chosen.reindex(table.index)]


def read_setup(tree: Path) -> pd.DataFrame:
    """Read the official split and the metadata that is in the names of the clips.

    Args:
        tree: Unpacked folder of the development set.

    Returns:
        Columns filename, scene, device, city, location, segment and split, `train` or `test`.
    """
    setup = tree / "evaluation_setup"
    tables = [
        pd.read_csv(setup / f"fold1_{name}.csv", sep="\t", usecols=["filename"]).assign(split=split)
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
    with open(file) as lines:
        separator = "\t" if "\t" in lines.readline() else ","
    clips = pd.read_csv(file, sep=separator)
    if "filename" not in clips:
        raise unknown_name(f"column of '{file}'", "filename", clips.columns)
    return clips


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
        raise unknown_name(f"column of '{file}'", "fold", clips.columns)
    if fold not in clips["fold"].to_numpy():
        folds = ", ".join(str(name) for name in sorted(clips["fold"].unique()))
        raise unknown_name(f"fold of '{file}'", fold, folds)
    return (clips["fold"] == fold).to_numpy()
