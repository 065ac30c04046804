"""The one engine for forward passes of trained networks: device, backend, batches, memory.

    inputs of any number -> batches that fit -> torch or onnxruntime -> logits on the CPU

Everything that evaluates a network many times (inference, LIME, KernelSHAP, masks, embeddings)
calls a `ForwardPass` instead of the network.
"""

import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import nn

from autrainer_ext.errors import unknown_name
from autrainer_ext.models.fusion import fuse_batch_norms

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_LOG = logging.getLogger("autrainer_ext")
BACKENDS = ("auto", "torch", "onnxruntime")
TOLERANCE = 1e-3  # largest difference of a probability that a faster way may cause
_CPU_VALUES = 2**20  # inputs of a batch on a processor: 4 MB stay in its cache
_GPU_VALUES = 2**27
_LARGEST_BATCH = {"cpu": 32, "cuda": 4096, "mps": 512}
_CHECKED_SHAPES = 3
# exporting takes about as long as 500 forward passes of a small network
_WORTH_EXPORTING = 500


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
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if name == "cpu" and torch.backends.mps.is_available():
            name = "mps"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise unknown_name("device", name, ("auto", "cpu", "cuda", "mps")) from None
    n_gpus = torch.cuda.device_count() if device.type == "cuda" else 0
    is_there = {
        "cpu": True,
        "cuda": (device.index or 0) < n_gpus,
        "mps": torch.backends.mps.is_available(),
    }
    if not is_there.get(device.type, False):
        raise ValueError(f"Device '{name}' does not exist on this machine; 'cpu' always does.")
    return device


class ForwardPass:
    """Evaluate a trained network on any number of inputs in bounded memory.

    On a processor the network is exported to onnxruntime where that pays, which is two to five
    times as fast for small convolutional networks; batch norms are folded into convolutions. The
    first batches are compared with the original network: a way that changes a probability by more
    than `TOLERANCE` is not used.

    Args:
        model: Network from features to logits. It is copied, so later changes have no effect.
        device: See `choose_device`.
        backend: "torch", "onnxruntime" (processor only), or "auto": onnxruntime on a processor if
            at least 500 inputs are expected.
        batch_size: Most inputs per batch. Default: as many as fit, see `batch_size_for`. Batches
            that exceed the memory of a GPU are halved.
        n_expected: Number of inputs that will be evaluated, if it is known; None counts as many.
        mixed_precision: Whether to compute in half precision on a GPU.

    Raises:
        ValueError: If device or backend do not exist or do not go together.

    Example:
        >>> forward = ForwardPass(nn.Flatten(), device="cpu", backend="torch")
        >>> forward(torch.ones(100, 2, 1)).shape
        torch.Size([100, 2])
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        device: str = "auto",
        backend: str = "auto",
        batch_size: int | None = None,
        n_expected: int | None = None,
        mixed_precision: bool = False,
    ) -> None:
        if backend not in BACKENDS:
            raise unknown_name("backend", backend, BACKENDS)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"The batch size must be at least 1, got {batch_size}.")
        self.device = choose_device(device)
        if backend == "onnxruntime" and self.device.type != "cpu":
            raise ValueError(f"Backend 'onnxruntime' needs the device 'cpu', got '{self.device}'.")
        pays = n_expected is None or n_expected >= _WORTH_EXPORTING
        self._is_exported = self.device.type == "cpu" and (
            backend == "onnxruntime" or (backend == "auto" and pays)
        )
        self._original = model
        fused = fuse_batch_norms(model).to(self.device)
        self._network = fused.to(memory_format=torch.channels_last)
        self._session: InferenceSession | None = None
        self._batch_size = batch_size
        self._shapes: set[torch.Size] = set()
        self._is_mixed = mixed_precision and self.device.type == "cuda"

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of inputs.

        Args:
            features: Shape (N, ...), on any device.

        Returns:
            Shape (N, C), float32, on the CPU. For N = 0 an error of the network may arise.
        """
        return torch.cat(list(self.stream([features])))

    def stream(self, inputs: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Logits of many groups of inputs, which share batches.

        At most one group and one batch wait at a time.

        Args:
            inputs: Groups, each of shape (n, ...) with any n; the other axes are the same for all.

        Yields:
            Logits of every group, shape (n, C).
        """
        sizes: list[int] = []
        waiting: list[torch.Tensor] = []
        done: list[torch.Tensor] = []
        for group in inputs:
            sizes.append(len(group))
            waiting.append(group)
            full = self.batch_size_for(group.shape[1:])
            while sum(map(len, waiting)) >= full and full:
                together = torch.cat(waiting) if len(waiting) > 1 else waiting[0]
                done.append(self._compute(together[:full]))
                waiting = [together[full:]]
                full = self.batch_size_for(group.shape[1:])
            yield from _take(sizes, done)
        rest = [group for group in waiting if len(group)]
        if rest or (sizes and not done):
            done.append(self._compute(torch.cat(waiting)))
        yield from _take(sizes, done)

    def batch_size_for(self, shape: torch.Size) -> int:
        """Inputs of this shape per batch: as many as fit, but no more than asked for."""
        kind = self.device.type
        values = _CPU_VALUES if kind == "cpu" else _GPU_VALUES
        fitting = max(1, min(_LARGEST_BATCH[kind], values // max(shape.numel(), 1)))
        return min(fitting, self._batch_size or fitting)

    @torch.inference_mode()
    def _compute(self, batch: torch.Tensor) -> torch.Tensor:
        if len(self._shapes) < _CHECKED_SHAPES and batch.shape[1:] not in self._shapes:
            self._check(batch[:2])
        if self._is_exported:
            return self._run_session(batch)
        try:
            return self._run_torch(batch)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
        self._batch_size = len(batch) // 2
        torch.cuda.empty_cache()
        return torch.cat([self._compute(half) for half in batch.split(-(-len(batch) // 2))])

    def _run_torch(self, batch: torch.Tensor) -> torch.Tensor:
        batch = batch.to(self.device)
        if batch.ndim == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, enabled=self._is_mixed):
            return self._network(batch).float().cpu()

    def _run_session(self, batch: torch.Tensor) -> torch.Tensor:
        if self._session is None:
            self._session = export_session(self._network, batch[:1])
        (logits,) = self._session.run(None, {"features": batch.cpu().contiguous().numpy()})
        return torch.from_numpy(logits)

    def _check(self, batch: torch.Tensor) -> None:
        """Leave a faster way that fails or changes probabilities; each shape is tried once."""
        self._shapes.add(batch.shape[1:])
        if not (self._is_exported or self._is_mixed):
            return
        mixed, self._is_mixed = self._is_mixed, False
        expected = self._run_torch(batch)
        self._is_mixed = mixed
        try:
            found = self._run_session(batch) if self._is_exported else self._run_torch(batch)
            difference = float((found.softmax(1) - expected.softmax(1)).abs().max())
            reason = f"probabilities differ by {difference:.1e}"
        except Exception as error:  # whatever an exporter raises for a network it cannot export
            difference, reason = float("inf"), str(error).strip().split("\n")[0]
        if not difference <= TOLERANCE:
            way = "onnxruntime" if self._is_exported else "Half precision"
            _LOG.warning("%s is not used for this network: %s", way, reason)
            self._is_exported = self._is_mixed = False


def export_session(network: nn.Module, example: torch.Tensor) -> "InferenceSession":
    """Network as a session of onnxruntime on one thread.

    Args:
        network: Network in evaluation mode on the CPU.
        example: An input, shape (1, channels, frames, bins); samples and frames stay free.

    Returns:
        Session from "features" to "logits".

    Raises:
        Exception: Whatever the exporter raises for a network it cannot export.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        onnx_bytes(network, example), options, providers=["CPUExecutionProvider"]
    )


def onnx_bytes(network: nn.Module, example: torch.Tensor) -> bytes:
    """Network in the ONNX format, the number of samples and of frames left free."""
    target = io.BytesIO()
    frames = {2: "frames"} if example.ndim == 4 else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter deprecates itself
        torch.onnx.export(
            network,
            (example.contiguous(),),
            target,
            input_names=["features"],
            output_names=["logits"],
            dynamic_axes={"features": {0: "samples", **frames}, "logits": {0: "samples"}},
            opset_version=17,
            dynamo=False,
        )
    return target.getvalue()


def _take(sizes: list[int], done: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Logits of the groups that are complete, removed from both lists."""
    while sizes and done and sum(map(len, done)) >= sizes[0]:
        together = torch.cat(done) if len(done) > 1 else done[0]
        size = sizes.pop(0)
        yield together[:size]
        done[:] = [together[size:]]
