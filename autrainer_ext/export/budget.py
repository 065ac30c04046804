"""What an exported network costs on a device: multiply-adds, memory and time of one clip."""

import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autrainer_ext.serving.forward import open_session

# low-complexity acoustic scene classification, DCASE Challenge Task 1, 2022 to 2025
MOST_BYTES, MOST_MULTIPLY_ADDS = 128_000, 30_000_000
BYTES_PER_PARAMETER = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True)
class Budget:
    """Cost of an exported file for one clip.

    Attributes:
        file_bytes: Size of the file.
        multiply_adds: Multiply-adds of convolutions and matrix products; the Fourier transform of
            a front end is not counted.
        peak_memory_bytes: Largest total of the inputs, activations and outputs that are needed at
            the same time.
        latency_ms: Median processor time of one clip on one thread, in milliseconds.
        latency_ms_low: Lower limit of its 95 % interval.
        latency_ms_high: Upper limit.
    """

    file_bytes: int
    multiply_adds: int
    peak_memory_bytes: int
    latency_ms: float
    latency_ms_low: float
    latency_ms_high: float


def measure_budget(content: bytes, clip: np.ndarray, *, n_runs: int = 50) -> Budget:
    """Measure what an exported file costs for one clip on this machine.

    Args:
        content: Content of the file.
        clip: Input of one clip, shape (1, ...).
        n_runs: Number of timed runs, at least 10.

    Returns:
        Counts for this clip, and the time of this machine with an interval for the median that
        assumes no distribution.
    """
    from scipy.stats import quantile_test

    session = open_session(content, n_threads=1)
    inputs = {session.get_inputs()[0].name: clip}
    session.run(None, inputs)
    times = []
    for _ in range(n_runs):
        start = time.process_time()
        session.run(None, inputs)
        times.append(1000 * (time.process_time() - start))
    interval = quantile_test(times, p=0.5).confidence_interval()
    return Budget(
        file_bytes=len(content),
        multiply_adds=count_multiply_adds(content, clip),
        peak_memory_bytes=peak_memory(content, clip),
        latency_ms=float(np.median(times)),
        latency_ms_low=float(interval.low),
        latency_ms_high=float(interval.high),
    )


def count_multiply_adds(content: bytes, clip: np.ndarray) -> int:
    """Multiply-adds of all convolutions and matrix products of an ONNX network for an input.

    Args:
        content: Content of an ONNX file.
        clip: Input, shape (1, ...).

    Returns:
        Number of outputs times number of products per output, summed over the layers.
    """
    import onnx

    model = onnx.load_from_string(content)
    values = _run_all(model, clip)
    values |= {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        if node.op_type not in _PRODUCTS:
            continue
        first, second = (values[name].shape for name in node.input[:2])
        total += values[node.output[0]].size * _PRODUCTS[node.op_type](first, second)
    return int(total)


def peak_memory(content: bytes, clip: np.ndarray) -> int:
    """Largest total size of values that are needed at the same time, without weights.

    The nodes run one after the other, in the order of onnxruntime and after its fusions, so layers
    in int8 have activations in int8. A value is needed from the node that computes it to the last
    node that reads it.

    Args:
        content: Content of an ONNX file.
        clip: Input, shape (1, ...).

    Returns:
        Bytes.
    """
    model = _optimised(content)
    values = _run_all(model, clip)
    readers = Counter(name for node in model.graph.node for name in node.input)
    readers.update(each.name for each in model.graph.output)  # outputs stay
    held = {each.name: values[each.name].nbytes for each in model.graph.input}
    most = sum(held.values())
    for node in model.graph.node:
        held |= {name: values[name].nbytes for name in node.output if name}
        most = max(most, sum(held.values()))
        readers.subtract(node.input)
        held = {name: size for name, size in held.items() if readers[name] > 0}
    return most


def _run_all(model: Any, clip: np.ndarray) -> dict[str, np.ndarray]:  # noqa: ANN401  untyped
    """Every value of a network for an input, by name."""
    import onnx
    import onnxruntime

    name = model.graph.input[0].name
    known = {each.name for each in model.graph.output}
    computed = [each for node in model.graph.node for each in node.output if each]
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    watched.graph.output.extend(
        onnx.ValueInfoProto(name=each) for each in computed if each not in known
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, {name: clip}), strict=True)) | {name: clip}


def _optimised(content: bytes) -> Any:  # noqa: ANN401  untyped
    """Network after the fusions of onnxruntime."""
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "optimised.onnx")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


# products per output for the shapes of the input and of the weights
_PRODUCTS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], int]] = {
    "Conv": lambda _input, weights: math.prod(weights[1:]),
    "MatMul": lambda first, _second: first[-1],
    "Gemm": lambda first, _second: first[-1],
}
