"""The one engine for forward passes of trained networks: device, backend, batches, memory.

    groups of inputs -> batches that fit -> torch or onnxruntime -> outputs of every group

Everything that evaluates a network without gradients (inference, LIME, masks, embeddings) calls a
`ForwardPass` instead of the network. What needs gradients uses its attribute `network`, which is on
the same device.
"""

import copy
import io
import logging
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from autrainer_ext.errors import unknown_name

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Predict = Callable[[torch.Tensor], torch.Tensor]
Outputs = tuple[torch.Tensor, ...]

BACKENDS = ("auto", "torch", "onnxruntime")
ONNXRUNTIME, HALF_PRECISION = "onnxruntime", "half precision"
# largest accepted difference of a faster way from torch in single precision, relative to the
# largest output
TOLERANCES = {ONNXRUNTIME: 1e-4, HALF_PRECISION: 1e-3}
_SMALLEST = 1e-6  # differences below are rounding, however small the outputs are

_LOG = logging.getLogger("autrainer_ext")
# values of all inputs of a batch: larger batches are no faster, and on a processor they are slower
_BATCH_VALUES = {"cpu": 2**19, "cuda": 2**25, "mps": 2**23}
_LARGEST_BATCH = {"cpu": 256, "cuda": 4096, "mps": 512}
_CHECKED_SHAPES = 3
_WORTH_EXPORTING = 100  # exporting takes as long as 25 to 100 forward passes of a small network


def choose_device(name: str = "auto") -> torch.device:
    """Device that a name stands for.

    Args:
        name: "auto" for a GPU if there is one, else the processor; "cpu", "cuda", "cuda:N", "mps".

    Returns:
        The device.

    Raises:
        ValueError: If the name is unknown or this machine has no such device.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    n_found = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(has_mps)}
    if device.type not in n_found:
        raise unknown_name("device", name, ("auto", *n_found))
    if (device.index or 0) >= n_found[device.type]:
        raise ValueError(f"Device '{name}' does not exist on this machine; 'cpu' always does.")
    return device


class ForwardPass:
    """Evaluate a trained network on any number of inputs in bounded memory.

    Batch norms are fused into convolutions. On a processor the network is exported to onnxruntime
    where that pays, which is up to ten times as fast for small convolutional networks. The first
    batches of up to three input shapes are compared with torch in single precision: a faster way
    that fails or differs by more than `TOLERANCES` is not used, and one line says so in the log.

    Args:
        model: Network from features to outputs, a tensor or several with one row per input; or any
            other function, which is used as it is. A network is copied: later changes of it have
            no effect.
        device: See `choose_device`.
        backend: "torch", "onnxruntime" (processor only), or "auto": onnxruntime on a processor if
            at least 100 inputs are expected.
        batch_size: Most inputs per batch, or None for as many as fit. A batch that exceeds the
            memory is halved, and so are all later ones.
        n_expected: Number of inputs that will be evaluated, or None for many.
        mixed_precision: Whether to compute in half precision on a GPU where that is accurate.
        fuse: Whether to fuse batch norms. Outputs of inner layers change if they are fused.

    Attributes:
        network: Network in torch on the device and in evaluation mode, for what needs gradients.
        device: The device.
        n_inputs: Number of inputs evaluated so far.

    Raises:
        ValueError: If device or backend do not exist or do not go together.

    Example:
        >>> forward = ForwardPass(nn.Flatten(), device="cpu", n_expected=100, backend="torch")
        >>> forward(torch.ones(100, 2, 1)).shape
        torch.Size([100, 2])
    """

    def __init__(
        self,
        model: nn.Module | Predict,
        *,
        device: str = "auto",
        backend: str = "auto",
        batch_size: int | None = None,
        n_expected: int | None = None,
        mixed_precision: bool = False,
        fuse: bool = True,
    ) -> None:
        if backend not in BACKENDS:
            raise unknown_name("backend", backend, BACKENDS)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"The batch size must be at least 1, got {batch_size}.")
        self.device = choose_device(device)
        is_cpu = self.device.type == "cpu"
        if backend == ONNXRUNTIME and not is_cpu:
            raise ValueError(f"Backend 'onnxruntime' needs the device 'cpu', got '{self.device}'.")
        is_network = isinstance(model, nn.Module)
        network = model if isinstance(model, nn.Module) else _Function(model)
        self.network = _place(network, self.device, fuse)
        self.n_inputs = 0
        self._batch_size = batch_size
        self._batch_values = _BATCH_VALUES[self.device.type]
        pays = n_expected is None or n_expected >= _WORTH_EXPORTING
        self._faster: str | None = None
        if is_cpu and is_network and backend != "torch":
            self._faster = ONNXRUNTIME if pays or backend == ONNXRUNTIME else None
        elif self.device.type == "cuda" and mixed_precision:
            self._faster = HALF_PRECISION
        self._checked: set[torch.Size] = set()
        self._onnx: bytes | None = None
        self._session: InferenceSession | None = None

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Output of a network with one output.

        Args:
            features: Shape (N, ...), on any device.

        Returns:
            Shape (N, ...), on the CPU.
        """
        return next(self.stream([features]))

    def stream(self, groups: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Output of a network with one output, for many groups of inputs that share batches.

        Args:
            groups: Groups of inputs, each of shape (n, ...) with any n. Groups whose other axes
                differ do not share batches. They are drawn when they are needed: apart from those
                of a batch, one waits at a time.

        Yields:
            Output for every group, shape (n, ...), on the CPU.
        """
        return (output for (output,) in self.outputs(groups))

    def outputs(self, groups: Iterable[torch.Tensor]) -> Iterator[Outputs]:
        """All outputs of the network, for many groups of inputs; see `stream`."""
        sizes: deque[int] = deque()
        done: list[Outputs] = []
        for batch in self._batches(groups, sizes):
            done.append(self._compute(batch))
            self.n_inputs += len(batch)
            yield from _take(sizes, done)
        yield from _take(sizes, done)  # groups without inputs at the end

    def batch_size_for(self, shape: torch.Size) -> int:
        """Number of inputs of a shape, without the axis of inputs, that make a batch."""
        fitting = self._batch_values // max(shape.numel(), 1)
        largest = self._batch_size or _LARGEST_BATCH[self.device.type]
        return max(1, min(fitting, largest))

    def _batches(self, groups: Iterable[torch.Tensor], sizes: deque[int]) -> Iterator[torch.Tensor]:
        """Inputs in batches of one shape; the sizes of the groups are appended to `sizes`."""
        waiting: list[torch.Tensor] = []
        is_first = True
        for group in groups:
            if waiting and waiting[0].shape[1:] != group.shape[1:]:
                yield _joined(waiting)
                waiting, is_first = [], False
            sizes.append(len(group))
            waiting.append(group)
            while sum(map(len, waiting)) >= (full := self.batch_size_for(group.shape[1:])):
                together = _joined(waiting)
                yield together[:full]
                waiting, is_first = [together[full:]], False
        if waiting and (is_first or any(map(len, waiting))):
            yield _joined(waiting)

    def _compute(self, batch: torch.Tensor) -> Outputs:
        """Outputs of a batch, or of its halves if it exceeds the memory."""
        try:
            return self._run_checked(batch)
        except Exception as error:
            if len(batch) < 2 or not _is_out_of_memory(error):
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(batch) // 2
        self._batch_values = min(self._batch_values, half * batch.shape[1:].numel())
        parts = [self._compute(part) for part in (batch[:half], batch[half:])]
        return tuple(torch.cat(each) for each in zip(*parts, strict=True))

    def _run_checked(self, batch: torch.Tensor) -> Outputs:
        """Outputs by the faster way, which is left once it fails or is not accurate."""
        if self._faster is None or not len(batch):
            return self._run_torch(batch)
        shape = batch.shape[1:]
        is_checked = shape in self._checked or len(self._checked) >= _CHECKED_SHAPES
        expected = None if is_checked else self._run_torch(batch)
        try:
            found = self._run_faster(batch)
            fault = None if expected is None else _difference(found, expected, self._faster)
        except Exception as error:  # whatever an exporter raises for a network it cannot export
            if _is_out_of_memory(error):
                raise
            fault = " ".join(str(error).split())[:200] or type(error).__name__
        if fault is None:
            if not is_checked:
                self._checked.add(shape)
            return found
        name = type(self.network).__name__
        _LOG.warning("%s is not used for the network %s: %s", self._faster, name, fault)
        self._faster = self._session = self._onnx = None
        return self._run_torch(batch) if expected is None else expected

    def _run_faster(self, batch: torch.Tensor) -> Outputs:
        if self._faster == HALF_PRECISION:
            return self._run_torch(batch, half=True)
        if self._session is None:
            self._onnx = self._onnx or to_onnx(self.network, batch[:1])
            self._session = open_session(self._onnx)
        outputs = self._session.run(None, {"features": batch.cpu().contiguous().numpy()})
        return tuple(map(torch.from_numpy, outputs))

    def _run_torch(self, batch: torch.Tensor, *, half: bool = False) -> Outputs:
        batch = batch.to(self.device)
        if batch.ndim == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        is_cuda = self.device.type == "cuda"
        precision = _exact_convolutions() if is_cuda else nullcontext()
        with torch.inference_mode(), precision, torch.autocast("cuda", enabled=half):
            outputs = self.network(batch)
        several = (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
        # copies made here are ordinary tensors, unlike those of the inference mode
        copies = tuple(each.to("cpu", copy=True) for each in several)
        if not half:
            return copies
        if all(torch.isfinite(each).all() for each in copies):
            return tuple(each.float() for each in copies)
        return self._run_torch(batch)  # half precision overflows above 65504

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the session, which is opened again when it is needed."""
        return self.__dict__ | {"_session": None}


def forward_pass(model: ForwardPass | Predict, features: torch.Tensor) -> ForwardPass:
    """Engine of a model that may be an engine, a network or any other function.

    Args:
        model: Maps features to logits.
        features: Features that will be evaluated.

    Returns:
        The model itself if it is a `ForwardPass`; otherwise one in torch on the device of the
        network, or of the features for other functions.

    Example:
        >>> forward_pass(lambda features: 2 * features, torch.ones(1))(torch.ones(2))
        tensor([2., 2.])
    """
    if isinstance(model, ForwardPass):
        return model
    return ForwardPass(model, device=str(device_of(model, features)), backend="torch")


def device_of(model: object, features: torch.Tensor) -> torch.device:
    """Device of the parameters of a model, or of the features if it has none.

    Example:
        >>> device_of(nn.Linear(1, 1), torch.ones(1))
        device(type='cpu')
    """
    if isinstance(model, ForwardPass):
        return model.device
    if not isinstance(model, nn.Module):
        return features.device
    # `parameters()` of the whole model would hash it, which takes a second for models of the host
    modules = [model]
    while modules:
        module = modules.pop()
        for parameter in module.parameters(recurse=False):
            return parameter.device
        modules += module.children()
    return features.device


def to_onnx(
    network: nn.Module,
    example: torch.Tensor,
    *,
    input_name: str = "features",
    output_names: Sequence[str] = (),
) -> bytes:
    """Network in the ONNX format.

    The number of inputs is free, and their length too if the network allows it.

    Args:
        network: Network in evaluation mode on the CPU.
        example: An input, shape (1, ...).
        input_name: Name of the input in the file.
        output_names: Names of the outputs. Default: "output_0", "output_1", ...

    Returns:
        Content of an ONNX file.

    Raises:
        Exception: Whatever the exporter raises for a network it cannot export.

    Example:
        >>> import numpy as np
        >>> content = to_onnx(nn.Flatten(), torch.ones(1, 2, 3))
        >>> open_session(content).run(None, {"features": np.ones((4, 2, 3), "f")})[0].shape
        (4, 6)
    """
    with torch.no_grad():
        outputs = network(example)
    n_outputs = 1 if isinstance(outputs, torch.Tensor) else len(outputs)
    names = [input_name, *(output_names or (f"output_{index}" for index in range(n_outputs)))]
    # features have few channels and a fixed number of bins; other inputs may be longer on any axis
    free = [2] if example.ndim > 3 else [i for i in range(1, example.ndim) if example.shape[i] > 1]
    fixed_length = {name: {0: "inputs"} for name in names}
    any_length = fixed_length | {input_name: {0: "inputs"} | {i: f"length_{i}" for i in free}}
    try:
        return _export(network, example, names, any_length)
    except Exception:  # such as pooling to a fixed size
        return _export(network, example, names, fixed_length)


def open_session(content: bytes, *, n_threads: int | None = None) -> "InferenceSession":
    """Session of onnxruntime on the processor.

    Args:
        content: Content of an ONNX file.
        n_threads: Number of threads. Default: as many as torch has.

    Example:
        >>> session = open_session(to_onnx(nn.Flatten(), torch.ones(1, 2)))
        >>> [each.name for each in session.get_inputs()]
        ['features']
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads or torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; warnings concern the exported graph
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _export(
    network: nn.Module, example: torch.Tensor, names: list[str], free: dict[str, dict[int, str]]
) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(), _hashing_by_identity(network), _silent_output():
        warnings.simplefilter("ignore")  # the exporter announces its successor
        torch.onnx.export(
            network,
            (example.contiguous(),),
            cast(Any, target),  # the annotation lacks streams
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes=free,
            opset_version=17,
            dynamo=False,
        )
    return target.getvalue()


@contextmanager
def _silent_output() -> Iterator[None]:
    """Discard what compiled code prints: the exporter prints the whole graph if it fails."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _hashing_by_identity(network: nn.Module) -> Iterator[None]:
    """Let models of the host be hashed by identity within a block.

    They are hashed by their YAML description, which takes a second, and an export does it ten
    times.
    """
    slow = [
        module
        for module in [network, *network.children()]
        if type(module).__hash__ is not nn.Module.__hash__
    ]
    classes = [type(module) for module in slow]
    try:
        for module, kind in zip(slow, classes, strict=True):
            module.__class__ = type(kind.__name__, (kind,), {"__hash__": nn.Module.__hash__})
        yield
    finally:
        for module, kind in zip(slow, classes, strict=True):
            module.__class__ = kind


def _place(model: nn.Module, device: torch.device, fuse: bool) -> nn.Module:
    """Copy of a network on a device, in evaluation mode."""
    # imported late: models import the host, and this module is for any network
    from autrainer_ext.models.fusion import fuse_batch_norms

    copied = fuse_batch_norms(model) if fuse else copy.deepcopy(model).eval()
    # torch does not annotate this overload of `to`
    return copied.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


class _Function(nn.Module):
    """Function as a network without parameters."""

    def __init__(self, function: Predict) -> None:
        super().__init__()
        self.function = function

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.function(features)


@contextmanager
def _exact_convolutions() -> Iterator[None]:
    """Convolutions of a GPU in single precision, not in that of its tensor cores, as elsewhere."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def _difference(found: Outputs, expected: Outputs, way: str) -> str | None:
    """How far outputs are from what is expected, if that is too far."""
    for one, other in zip(found, expected, strict=True):
        if one.shape != other.shape:
            return f"its output has the shape {tuple(one.shape)} instead of {tuple(other.shape)}"
        if one.dtype != other.dtype:
            return f"its output is {one.dtype} instead of {other.dtype}"
        largest = float(torch.nan_to_num(other.float(), posinf=0, neginf=0).abs().amax())
        accepted = TOLERANCES[way] * largest + _SMALLEST
        if not torch.allclose(one, other, rtol=0, atol=accepted, equal_nan=True):
            worst = float((one - other).abs().amax())
            return f"its outputs differ by {worst:.1e}, accepted are {accepted:.1e}"
    return None


def _is_out_of_memory(error: Exception) -> bool:
    # the processor, Apple's GPUs and onnxruntime raise errors of no type of their own
    text = str(error).lower()
    is_text = "out of memory" in text or "allocate memory" in text
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or is_text


def _take(sizes: deque[int], done: list[Outputs]) -> Iterator[Outputs]:
    """Outputs of the groups that are complete; they are removed from both lists."""
    while sizes and done and sum(len(part[0]) for part in done) >= sizes[0]:
        parts = [part for part in done if len(part[0])] or done[-1:]
        whole = tuple(_joined(each) for each in zip(*parts, strict=True))
        size = sizes.popleft()
        yield tuple(each[:size] for each in whole)
        done[:] = [tuple(each[size:] for each in whole)]


def _joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
