"""How much of a training epoch is not training.

Times an epoch of CPMobile-14k on log-mel features of spoken digits (101 frames of 64 bands) with
the host's trainer and the host's dataset, with the host's trainer and the cached dataset, and as a
bare loop over tensors in memory, in turns. The bare loop is what no trainer can beat.

    python benchmarks/training_speed.py FOLDER_OF_FSDD_RECORDINGS
"""

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from autrainer.datasets.utils import AudioFileHandler
from autrainer.training import ModularTaskTrainer
from autrainer.transforms import PannMel
from omegaconf import OmegaConf

from autrainer_ext.datasets import FSDD
from autrainer_ext.models import CPMobile

FRAMES, BATCH_SIZE, LEARNING_RATE = 101, 32, 0.001
MODEL = {"base_channels": 16, "channels_multiplier": 1.5, "expansion_rate": 2.0}
HOST = "autrainer.datasets.BaseClassificationDataset"
CACHED = "autrainer_ext.datasets.CachedClassificationDataset"


def prepare(recordings: str, folder: Path) -> None:
    """Write features of one length and the tables of the official split."""
    FSDD.download(str(folder / "fsdd"), recordings)
    table = pd.read_csv(folder / "fsdd" / "fsdd.csv")
    load = AudioFileHandler(target_sample_rate=16_000)
    log_mel = PannMel(512, 160, 16_000, 50, 8_000, 64, 1.0, 1e-10, None)
    (folder / "default").mkdir()
    for name in table["filename"]:
        features = log_mel(load(folder / "fsdd" / "default" / name)).numpy()[:, :FRAMES]
        padding = ((0, 0), (0, FRAMES - features.shape[1]), (0, 0))
        features = np.pad(features, padding, constant_values=-100)
        np.save((folder / "default" / name).with_suffix(".npy"), features)
    is_test = table["take"] < 5
    for split, rows in (("train", ~is_test), ("dev", is_test), ("test", is_test)):
        table[rows].to_csv(folder / f"{split}.csv", index=False)


def trainer_epochs(folder: Path, dataset: str, epochs: int) -> list[float]:
    """Seconds per training epoch of the host's trainer, without the first."""
    configuration = OmegaConf.create(
        {
            "dataset": {
                "id": "FSDD",
                "_target_": dataset,
                "path": str(folder),
                "features_subdir": "default",
                "index_column": "filename",
                "target_column": "digit",
                "file_type": "npy",
                "file_handler": "autrainer.datasets.utils.NumpyFileHandler",
                "criterion": "torch.nn.CrossEntropyLoss",
                "metrics": ["autrainer.metrics.Accuracy"],
                "tracking_metric": "autrainer.metrics.Accuracy",
                "transform": {"type": "grayscale"},
            },
            "model": {
                "id": "CPMobile-14k",
                "_target_": "autrainer_ext.models.CPMobile",
                "transform": {"type": "grayscale"},
                **MODEL,
            },
            "optimizer": {"id": "Adam", "_target_": "torch.optim.Adam"},
            "scheduler": {"id": "None", "_target_": "None"},
            "augmentation": {
                "id": "None",
                "_target_": "autrainer.augmentations.AugmentationPipeline",
                "pipeline": [],
            },
            "plotting": {
                "figsize": [10, 5],
                "latex": False,
                "filetypes": ["png"],
                "pickle": False,
                "context": "notebook",
                "palette": "colorblind",
                "replace_none": False,
                "add_titles": True,
                "add_xlabels": True,
                "add_ylabels": True,
                "rcParams": {},
            },
            "seed": 1,
            "device": "cpu",
            "training_type": "epoch",
            "iterations": epochs + 1,
            "eval_frequency": 1,
            "save_frequency": 1,
            "batch_size": BATCH_SIZE,
            "inference_batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATE,
            "progress_bar": False,
            "save_train_outputs": True,
            "save_dev_outputs": True,
            "save_test_outputs": True,
        }
    )
    with tempfile.TemporaryDirectory() as run, contextlib.redirect_stdout(io.StringIO()):
        trainer = ModularTaskTrainer(configuration, run)
        trainer.train()
    return trainer.train_timer.get_time_log()[1:]


def bare_epochs(folder: Path, epochs: int) -> list[float]:
    """Seconds per epoch of forward, backward and step on tensors in memory, without the first."""
    table = pd.read_csv(folder / "train.csv")
    paths = [(folder / "default" / name).with_suffix(".npy") for name in table["filename"]]
    features = torch.stack([torch.from_numpy(np.load(path)) for path in paths])
    targets = torch.from_numpy(table["digit"].to_numpy())
    torch.manual_seed(1)
    model = CPMobile(10, **MODEL).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    seconds = []
    for _ in range(epochs + 1):
        start = time.perf_counter()
        for batch in torch.randperm(len(features)).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(features[batch]), targets[batch])
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", help="folder of FSDD recordings")
    parser.add_argument("--rounds", type=int, default=4, help="how often to take turns")
    parser.add_argument("--epochs", type=int, default=3, help="epochs per turn")
    arguments = parser.parse_args()
    seconds = {"host trainer, host dataset": [], "host trainer, cached": [], "bare loop": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(arguments.recordings, folder)
        for _ in range(arguments.rounds):
            for times, epochs in zip(
                seconds.values(),
                (
                    trainer_epochs(folder, HOST, arguments.epochs),
                    trainer_epochs(folder, CACHED, arguments.epochs),
                    bare_epochs(folder, arguments.epochs),
                ),
                strict=True,
            ):
                times.extend(epochs)
    bare = median(seconds["bare loop"])
    print(f"{'epoch of training':28}{'median s':>10}{'fastest s':>11}{'/ bare':>8}")
    for name, times in seconds.items():
        print(f"{name:28}{median(times):10.2f}{min(times):11.2f}{median(times) / bare:8.2f}")


if __name__ == "__main__":
    main()
