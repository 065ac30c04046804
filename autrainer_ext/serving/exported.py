"""Exported networks: ONNX files that also hold everything a model directory describes.

The metadata of the file hold the file handler, the transforms before the network and the target
transform, in the YAML of a model directory. Such a file is a whole model.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from autrainer.models import AbstractModel

from .forward import open_session
from .model_directory import save_tensors

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

EXPORTED_SUFFIX = ".onnx"
LOGITS, PROBABILITIES = "logits", "probabilities"
_METADATA = "autrainer_ext"


class ExportedNetwork(AbstractModel):
    """Network of an exported file, computed by onnxruntime on the processor.

    Args:
        path: ONNX file written by `autrainer-ext export`.
        output_dim: Number of outputs.
        sample_rate: Sample rate of the recordings in Hz, or None if it is unknown.

    Raises:
        ValueError: When called for embeddings, which the file does not compute.
    """

    def __init__(self, path: str, output_dim: int, sample_rate: int | None = None) -> None:
        super().__init__(output_dim)
        self.path = path
        self.sample_rate = sample_rate
        self._content = Path(path).read_bytes()
        self._session: InferenceSession | None = None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of a batch.

        Args:
            features: Features, shape (N, channels, frames, mel_bins), or waveforms, shape
                (N, channels, samples), if the file includes the front end.

        Returns:
            Logits, shape (N, output_dim).
        """
        if self._session is None:
            self._session = open_session(self._content)
        (entry,) = self._session.get_inputs()
        found = self._session.run([LOGITS], {entry.name: features.cpu().contiguous().numpy()})
        return torch.from_numpy(found[0])

    def embeddings(self, features: torch.Tensor) -> torch.Tensor:
        """Refuse: an exported file computes logits and probabilities only."""
        raise ValueError("An exported file has no embeddings: use the model it was exported from.")

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the session, which is opened again when it is needed."""
        return self.__dict__ | {"_session": None}


def add_metadata(
    content: bytes, descriptions: Mapping[str, str], output_dim: int, sample_rate: int | None
) -> bytes:
    """Add to an ONNX file what makes it a whole model.

    Args:
        content: Content of an ONNX file.
        descriptions: YAML text for each file name of a model directory except `model.yaml`.
        output_dim: Number of outputs.
        sample_rate: Sample rate of the recordings in Hz, or None if it is unknown.

    Returns:
        Content of the file with metadata.
    """
    import onnx

    model = onnx.load_from_string(content)
    text = {"output_dim": output_dim, "sample_rate": sample_rate, "descriptions": descriptions}
    onnx.helper.set_model_props(model, {_METADATA: json.dumps(text)})
    return model.SerializeToString()


@contextmanager
def as_model_directory(model: str) -> Iterator[str]:
    """Model directory for the time of a block: the model itself, or the content of a file.

    Args:
        model: Model directory or exported file.

    Raises:
        ValueError: If the file does not exist or was not written by `autrainer-ext export`.
    """
    if not model.endswith(EXPORTED_SUFFIX):
        yield model
        return
    path = Path(model).resolve()
    metadata = _read_metadata(path)
    network = {key: metadata[key] for key in ("output_dim", "sample_rate")} | {"path": str(path)}
    name = f"${ExportedNetwork.__module__}.{ExportedNetwork.__name__}==0"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.yaml").write_text(yaml.safe_dump({name: network}), encoding="utf-8")
        for file, text in metadata["descriptions"].items():
            Path(folder, Path(file).name).write_text(text, encoding="utf-8")
        Path(folder, "_best").mkdir()
        save_tensors({}, Path(folder, "_best", "model.pt"))  # the weights are in the ONNX file
        yield folder


def _read_metadata(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"Exported file '{path}' does not exist.")
    try:
        session = open_session(path.read_bytes())
    except Exception as error:  # onnxruntime has many kinds
        reason = " ".join(str(error).split())
        raise ValueError(f"File '{path}' is not an ONNX network: {reason}") from error
    properties = session.get_modelmeta().custom_metadata_map
    if _METADATA not in properties:
        raise ValueError(f"File '{path}' was not written by autrainer-ext export.")
    return json.loads(properties[_METADATA])
