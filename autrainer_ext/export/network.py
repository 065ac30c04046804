"""Write a trained network as an ONNX file that is a whole model, and check it against torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from autrainer.datasets.utils import AbstractTargetTransform
from autrainer.transforms import SmartCompose
from torch import nn

from autrainer_ext.models.fusion import fuse_batch_norms
from autrainer_ext.serving.clip_reader import ClipReader
from autrainer_ext.serving.exported import LOGITS, PROBABILITIES, add_metadata
from autrainer_ext.serving.forward import ForwardPass, Predict, open_session, to_onnx

from .front_end import front_end_network
from .names import with_short_names

# largest accepted difference from torch: of probabilities, and of logits relative to the largest
TOLERANCE = 1e-4
FEATURES, WAVEFORM = "features", "waveform"
_N_STEREO = 2


@dataclass(frozen=True)
class Clip:
    """A recording and what the model makes of it in torch.

    Attributes:
        name: Name of the recording.
        waveform: Shape (1, channels, samples).
        features: Shape (1, channels, frames, mel_bins).
        logits: Shape (1, outputs).
    """

    name: str
    waveform: torch.Tensor
    features: torch.Tensor
    logits: torch.Tensor

    def input(self, name: str) -> torch.Tensor:
        """Waveform or features."""
        return self.waveform if name == WAVEFORM else self.features


class ClipMaker:
    """Computes features and logits of recordings as the model does in torch.

    Args:
        reader: Model and its front end.
    """

    def __init__(self, reader: ClipReader) -> None:
        self.reader = reader
        self._forward = ForwardPass(reader.model, device="cpu", backend="torch", fuse=False)

    def __call__(self, name: str, samples: torch.Tensor) -> Clip:
        """Clip of a recording.

        Args:
            name: Name of the recording.
            samples: Shape (channels, samples).

        Raises:
            UnusableFileError: If the features cannot be computed.
        """
        features = self.reader.features(samples)
        return Clip(name, samples[None], features, self._forward(features))

    def read(self, folder: Path, file: str) -> Clip:
        """Clip of a file.

        Raises:
            UnusableFileError: If the file cannot be read, is silent, or as above.
        """
        return self(file, self.reader.recording(folder / file))


def export_network(reader: ClipReader, example: torch.Tensor, input_name: str) -> bytes:
    """Export the network of a model, with or without its front end.

    Args:
        reader: Model and its front end.
        example: An input, shape (1, channels, samples) or (1, channels, frames, mel_bins).
        input_name: "waveform" to include the front end, "features" to leave it out.

    Returns:
        Content of an ONNX file with the outputs "logits" and "probabilities"; the numbers of
        inputs and of samples or frames are free. Its metadata make it a whole model.

    Raises:
        ValueError: If a transform of the front end or the network cannot be exported.
    """
    has_front_end = input_name == WAVEFORM
    front_end = front_end_network(reader.transforms) if has_front_end else nn.Identity()
    network = _Whole(front_end, fuse_batch_norms(reader.model), reader.target_transform)
    try:
        content = to_onnx(
            network.eval(), example, input_name=input_name, output_names=(LOGITS, PROBABILITIES)
        )
    except Exception as error:  # whatever an exporter raises for a network it cannot export
        name, reason = type(reader.model).__name__, " ".join(str(error).split())[:200]
        raise ValueError(f"Network {name} cannot be exported: {reason}") from error
    saved = {
        "file_handler.yaml": reader.file_handler,
        "preprocess_file_handler.yaml": reader.file_handler,
        "target_transform.yaml": reader.target_transform,
        "preprocess_pipeline.yaml": SmartCompose([] if has_front_end else reader.transforms),
        "inference_transform.yaml": SmartCompose([]),
    }
    descriptions = {name: each.to_yaml_s() for name, each in saved.items()}
    return add_metadata(
        with_short_names(content), descriptions, reader.model.output_dim, reader.sample_rate
    )


def as_example(reader: ClipReader, clip: Clip, input_name: str) -> torch.Tensor:
    """Input of a clip, for export: in stereo if the front end mixes channels, so they stay free."""
    if input_name == FEATURES or clip.waveform.shape[1] > 1:
        return clip.input(input_name)
    stereo = clip.waveform.repeat(1, _N_STEREO, 1)
    is_mixed = reader.features(stereo[0]).shape == clip.features.shape
    return stereo if is_mixed else clip.waveform


def largest_difference(reader: ClipReader, content: bytes, clips: Sequence[Clip]) -> float:
    """Largest difference between an exported file and torch over clips.

    Args:
        reader: Model in torch.
        content: Content of the file.
        clips: Clips with the logits of the model in torch, at least one.

    Returns:
        Largest of the differences of probabilities, and of logits divided by the largest logit.

    Raises:
        ValueError: If it exceeds `TOLERANCE`; the message names the clip.
    """
    session = open_session(content)
    (entry,) = session.get_inputs()
    worst, name = 0.0, ""
    for clip in clips:
        inputs = {entry.name: clip.input(entry.name).contiguous().numpy()}
        logits, probabilities = map(torch.from_numpy, session.run(None, inputs))
        expected = reader.target_transform.probabilities_inference(clip.logits)
        relative = (logits - clip.logits).abs().max() / clip.logits.abs().max()
        found = max(float(relative), float((probabilities - expected).abs().max()))
        if not found <= worst:
            worst, name = found, clip.name
    if not worst <= TOLERANCE:
        raise ValueError(
            f"The exported network differs from torch by {worst:.1e} for '{name}', accepted are "
            f"{TOLERANCE:.0e}."
        )
    return worst


class _Whole(nn.Module):
    """Front end, network and probabilities."""

    def __init__(
        self,
        front_end: nn.Module,
        network: nn.Module,
        target_transform: AbstractTargetTransform,
    ) -> None:
        super().__init__()
        self.front_end = front_end
        self.body = network
        self.target_transform = target_transform

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.body(self.front_end(inputs))
        return logits, self.target_transform.probabilities_inference(logits)


def as_function(content: bytes) -> Predict:
    """Function from inputs to logits that an exported file computes.

    Args:
        content: Content of the file.
    """
    session = open_session(content)
    (entry,) = session.get_inputs()

    def logits(inputs: torch.Tensor) -> torch.Tensor:
        found = session.run([LOGITS], {entry.name: inputs.cpu().contiguous().numpy()})
        return torch.from_numpy(found[0])

    return logits
