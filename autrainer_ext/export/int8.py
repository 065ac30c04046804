"""Static quantisation of an exported network to int8."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .names import FRONT_END, with_short_names

_PRODUCTS = ("Conv", "Gemm", "MatMul")


def quantise(content: bytes, inputs: Sequence[np.ndarray]) -> bytes:
    """Quantise weights and activations of a network to int8; a front end stays in float32.

    Weights have one scale per channel, activations one per tensor, from the smallest to the
    largest value in the calibration.

    Args:
        content: Content of an exported file.
        inputs: Inputs of calibration, each of shape (1, ...), at least one; a few dozen recordings
            as the device will hear them work well.

    Returns:
        Content of the quantised file, with the same inputs, outputs and metadata.

    Raises:
        ValueError: If nothing was quantised.

    Source:
        Jacob et al. (2018), Quantization and training of neural networks for efficient
        integer-arithmetic-only inference. doi:10.1109/CVPR.2018.00286
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static

    model = onnx.load_from_string(content)
    excluded = [node.name for node in model.graph.node if node.name.startswith(FRONT_END)]
    with tempfile.TemporaryDirectory() as folder, _without_advice():
        path = Path(folder, "int8.onnx")
        quantize_static(
            model,
            path,
            _reader(model.graph.input[0].name, inputs),
            per_channel=True,
            op_types_to_quantize=list(_PRODUCTS),
            # signed, as microcontrollers compute; unsigned activations overflow on old processors
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded,
        )
        quantised = onnx.load(path)
    if not any(node.op_type == "QuantizeLinear" for node in quantised.graph.node):
        raise ValueError("The network has no layer that can be quantised.")
    if not quantised.metadata_props:
        quantised.metadata_props.extend(model.metadata_props)
    return with_short_names(quantised.SerializeToString())


@contextmanager
def _without_advice() -> Iterator[None]:
    """Hide the advice of onnxruntime to fuse layers, which are fused already."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)


def _reader(name: str, inputs: Sequence[np.ndarray]) -> object:
    """Reader of onnxruntime for calibration inputs."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._waiting = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            following = next(self._waiting, None)
            return None if following is None else {name: following}

    return Reader()
