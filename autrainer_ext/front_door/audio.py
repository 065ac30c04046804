"""Recordings given as a file or an array, and the front end that a network needs for them."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from autrainer.datasets.utils import AudioFileHandler
from torch import nn

from autrainer_ext.compat import apply_transform
from autrainer_ext.configurations import configuration_names, find_configuration
from autrainer_ext.errors import unknown_name
from autrainer_ext.serving.audio_files import UnusableFileError, check_file
from autrainer_ext.serving.audio_reader import brief
from autrainer_ext.serving.clip_reader import ClipReader
from autrainer_ext.serving.front_end import stated_rate
from autrainer_ext.serving.model_directory import build_preprocessing

Transform: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
FrontEnd: TypeAlias = str | Transform | Sequence[Transform]
Reader: TypeAlias = "ClipReader | ModuleReader"
_DEFAULT = "log_mel_16k"  # the front end of the host for 16 kHz


class ModuleReader:
    """Samples and features of recordings for a network without a model directory.

    Args:
        network: Network from features to logits.
        front_end: See `open_reader`.

    Attributes:
        model: The network.
        transforms: Transforms from recording to features, in order.
        rate: Sample rate of the recordings in Hz.

    Raises:
        ValueError: If the front end does not exist or states no sample rate.
    """

    def __init__(self, network: nn.Module, front_end: FrontEnd | None) -> None:
        if front_end is None:
            warnings.warn(
                f"The front end of the network is unknown, '{_DEFAULT}' is used: give the one it "
                "was trained with as front_end.",
                stacklevel=4,
            )
            front_end = _DEFAULT
        self.model = network
        self.transforms = _transforms(front_end)
        rate = stated_rate(self.transforms)
        if rate is None:
            raise ValueError(
                "The front end states no sample rate: one of its transforms needs the attribute "
                "'sample_rate'."
            )
        self.rate = rate

    def recording(self, path: Path) -> torch.Tensor:
        """Read a file at the sample rate of the front end, shape (channels, samples)."""
        check_file(str(path))
        return AudioFileHandler(target_sample_rate=self.rate).load(str(path))

    def features(self, samples: torch.Tensor) -> torch.Tensor:
        """Compute the features of a recording, shape (1, channels, frames, bins).

        Raises:
            UnusableFileError: If the front end fails.
        """
        try:
            for transform in self.transforms:
                samples = apply_transform(transform, samples)
        except (RuntimeError, ValueError) as error:
            raise UnusableFileError(f"the front end fails: {str(error).splitlines()[0]}") from error
        return samples[None]


def open_reader(
    model: nn.Module | Path | str, front_end: FrontEnd | None, checkpoint: str = "_best"
) -> ClipReader | ModuleReader:
    """Open a network with its front end.

    Args:
        model: Run or model directory, which holds its front end, or a network from features to
            logits.
        front_end: Front end of a network: the name of a preprocessing configuration, or transforms
            from samples, shape (1, samples), to features, shape (channels, frames, bins). Default:
            "log_mel_16k", with a warning.
        checkpoint: Folder of the weights in a directory.

    Returns:
        Reader with `model`, `transforms`, `rate`, `recording(path)` and `features(samples)`.

    Raises:
        ValueError: If the model cannot be loaded or the front end does not exist.
    """
    if isinstance(model, nn.Module):
        return ModuleReader(model, front_end)
    if not Path(model).is_dir():
        raise ValueError(f"Model directory '{model}' does not exist.")
    if front_end is not None:
        raise ValueError(f"Model directory '{model}' holds its front end: leave out front_end.")
    return ClipReader(model_path=str(model), checkpoint=checkpoint)


def open_network(model: nn.Module | Path | str) -> nn.Module:
    """Load the network of a directory; a network is returned as it is.

    Args:
        model: Run or model directory, or a network.

    Raises:
        ValueError: If a file of the directory is missing or its weights do not fit.
    """
    if isinstance(model, nn.Module):
        return model
    from autrainer_ext.runs.load import load_model  # imports the training code of the host

    return load_model(model)


def read_samples(
    reader: ClipReader | ModuleReader,
    audio: Path | str | np.ndarray | torch.Tensor,
    rate: int | None,
) -> torch.Tensor:
    """Samples of a recording at the sample rate of a front end.

    Args:
        reader: Network with its front end.
        audio: Path of an audio file, which is resampled, or samples: shape (samples,), (channels,
            samples) or (samples, channels). Whole numbers are scaled by the range of their type.
        rate: Sample rate of an array in Hz.

    Returns:
        Shape (1, samples), the mean over channels.

    Raises:
        ValueError: If the file or the array cannot be used, or the rate of an array is missing or
            differs from that of the front end.
    """
    if isinstance(audio, str | Path):
        if not Path(audio).exists():
            raise ValueError(f"File '{audio}' does not exist.")
        try:
            samples = reader.recording(Path(audio))
        except Exception as error:  # a file handler of the user may raise anything
            raise ValueError(f"Recording '{audio}' cannot be read: {brief(error)}") from error
    else:
        if rate is None:
            raise ValueError("An array of samples needs its sample rate: give rate in Hz.")
        if rate != reader.rate:
            raise ValueError(
                f"The recording has {rate} Hz, but the front end needs {reader.rate} Hz: resample "
                "the recording, or give the path of its file."
            )
        samples = _as_samples(audio)
    if samples.numel() == 0:
        raise ValueError("The recording is empty.")
    samples = samples.mean(dim=0, keepdim=True)
    if not torch.isfinite(samples).all():
        raise ValueError("The recording holds samples that are not finite numbers.")
    if bool((samples == samples[0, 0]).all()):
        raise ValueError("The recording is silent: all samples are equal.")
    return samples


def compute_features(reader: Reader, samples: torch.Tensor) -> torch.Tensor:
    """Features of a recording, shape (1, channels, frames, bins).

    Raises:
        ValueError: If they cannot be computed or are not a finite spectrogram.
    """
    try:
        features = reader.features(samples)
    except UnusableFileError as error:
        raise ValueError(f"No features of the recording: {error}") from error
    if features.ndim != 4 or not torch.isfinite(features).all():
        raise ValueError(
            "The front end must return finite features of the shape (channels, frames, bins), got "
            f"the shape {tuple(features.shape[1:])}."
        )
    return features.float()


def count_classes(predict: Callable[[torch.Tensor], object], features: torch.Tensor) -> int:
    """Number of classes of a network, found by one prediction.

    Args:
        predict: Engine of the network.
        features: Shape (N, ...).

    Raises:
        ValueError: If the network fails for these features or does not return logits, shape (N, C).
    """
    shape = tuple(features.shape)
    try:
        logits = predict(features)
    except Exception as error:  # a network may raise anything
        raise ValueError(
            f"The network fails for features of the shape {shape}: {brief(error)}"
        ) from error
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != len(features):
        found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise ValueError(
            f"The network must return one logit per class, shape ({len(features)}, C), got {found}."
        )
    return logits.shape[1]


def _transforms(front_end: FrontEnd) -> list[Transform]:
    if isinstance(front_end, str):
        path = find_configuration("preprocessing", front_end)
        if path is None:
            names = configuration_names("preprocessing")
            raise unknown_name("preprocessing configuration", front_end, names)
        return list(build_preprocessing(path)[1].transforms)
    return [front_end] if callable(front_end) else list(front_end)


def _as_samples(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Samples of an array as floating-point numbers, shape (channels, samples)."""
    array = values.numpy(force=True) if isinstance(values, torch.Tensor) else np.asarray(values)
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu":
        raise ValueError(
            "Samples must be numbers of the shape (samples,) or (channels, samples), got "
            f"{array.dtype} of the shape {array.shape}."
        )
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        middle = (limits.max + limits.min + 1) / 2  # unsigned samples are silent in the middle
        array = (array - middle) / (limits.max - middle + 1)
    array = np.atleast_2d(array)
    if array.shape[0] > array.shape[1]:
        array = array.T
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
