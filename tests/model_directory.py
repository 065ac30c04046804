"""A model directory in the layout of the hosts, made without training."""

from pathlib import Path

from autrainer.datasets.utils import AudioFileHandler, LabelEncoder, NumpyFileHandler
from autrainer.transforms import PannMel, SmartCompose, StereoToMono
import torch

from autrainer_ext.models import CPMobile

DIGITS = [str(digit) for digit in range(10)]


def write_model_directory(directory: Path, *, resamples: bool = True) -> Path:
    """Write CPMobile-14k behind the 16 kHz log-mel front end, with random weights.

    Args:
        directory: Folder to create.
        resamples: Whether the saved file handler brings audio to 16 kHz.

    Returns:
        `directory`.
    """
    torch.manual_seed(0)
    model = CPMobile(10, base_channels=16, channels_multiplier=1.5, expansion_rate=2.0)
    audio = AudioFileHandler(16000 if resamples else None)
    log_mel = PannMel(512, 160, 16000, 50, 8000, 64, ref=1.0, amin=1e-10, top_db=None)
    for name, part in {
        "model": model,
        "file_handler": NumpyFileHandler(),
        "target_transform": LabelEncoder(DIGITS),
        "inference_transform": SmartCompose([]),
        "preprocess_file_handler": audio,
        "preprocess_pipeline": SmartCompose([StereoToMono(), log_mel]),
    }.items():
        directory.joinpath("_best").mkdir(parents=True, exist_ok=True)
        part.to_yaml(str(directory / f"{name}.yaml"))
    torch.save(model.state_dict(), directory / "_best" / "model.pt")
    return directory
