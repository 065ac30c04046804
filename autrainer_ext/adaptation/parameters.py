"""Parameters of a network to adapt: selection, snapshot, exact reset."""

from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from autrainer_ext.errors import unknown_name

Selection = Literal["norm", "features", "all"]
SELECTIONS: tuple[Selection, ...] = ("norm", "features", "all")
_Tensor = TypeVar("_Tensor", bound=torch.Tensor)
_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)


def check_adaptable(model: nn.Module) -> None:
    """Check that a network has parameters that can be adapted.

    Args:
        model: Network.

    Raises:
        ValueError: If the network is quantised, has no parameters or all of them are frozen.
    """
    modules = named_modules(model).values()
    if any("quantized" in type(module).__module__ for module in modules) or any(
        tensor.is_quantized for tensor in named_tensors(model).values()
    ):
        raise ValueError("The network is quantised: adapt the network before quantisation.")
    if not any(p.requires_grad for p in named_parameters(model).values()):
        raise ValueError(
            "All parameters of the network are frozen: set requires_grad of those to adapt."
        )


def batch_norms(model: nn.Module) -> dict[str, _BatchNorm]:
    """Batch norms with running statistics by name, in order of registration."""
    return {
        name: module
        for name, module in named_modules(model).items()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    }


def select_parameters(
    model: nn.Module, selection: Selection, n_classes: int
) -> dict[str, nn.Parameter]:
    """Select the parameters to adapt.

    norm:     scales and shifts of all norm layers
    features: all parameters except those of the classifier
    all:      all parameters

    The classifier starts at the last weight matrix or kernel with one row per class and extends to
    the end of the network; without such a weight it is empty. Frozen parameters are never selected.

    Args:
        model: Network whose modules were registered in the order in which they are run.
        selection: Name of the selection.
        n_classes: Number of classes.

    Returns:
        Selected parameters by name, at least one.

    Raises:
        ValueError: If the selection does not exist or holds no parameter that can be adapted.
    """
    if selection not in SELECTIONS:
        raise unknown_name("selection of parameters", selection, SELECTIONS)
    chosen = named_parameters(model)
    if selection == "norm":
        in_norms = {
            id(p)
            for module in named_modules(model).values()
            if isinstance(module, _NORMS)
            for p in module.parameters(recurse=False)
        }
        chosen = {name: p for name, p in chosen.items() if id(p) in in_norms}
    elif selection == "features":
        classifier = classifier_parameters(model, n_classes)
        chosen = {name: p for name, p in chosen.items() if name not in classifier}
    chosen = {name: p for name, p in chosen.items() if p.requires_grad}
    if not chosen:
        what = {"norm": "norm layers with scales and shifts", "features": "features"}
        raise ValueError(
            f"The network has no {what.get(selection, 'parameters')} that can be adapted: "
            "choose other parameters."
        )
    return chosen


def classifier_parameters(model: nn.Module, n_classes: int) -> list[str]:
    """Names of the parameters of the classifier; see `select_parameters`."""
    parameters = list(named_parameters(model).items())
    for start in reversed(range(len(parameters))):
        weight = parameters[start][1]
        if weight.ndim >= 2 and weight.shape[0] == n_classes:
            return [name for name, _ in parameters[start:]]
    return []


class Snapshot:
    """Copy of the state of a network that can be restored bit for bit.

    The copy holds every parameter and buffer, including buffers that are not saved, the training
    mode of every module and `requires_grad` of every parameter.

    Args:
        model: Network to copy and to restore.
    """

    def __init__(self, model: nn.Module) -> None:
        self._tensors = [(t, t.detach().clone()) for t in named_tensors(model).values()]
        self._training = [(module, module.training) for module in named_modules(model).values()]
        self._learning = [(p, p.requires_grad) for p in named_parameters(model).values()]

    def restore(self) -> None:
        """Restore the state in place, so that optimisers keep their references."""
        with torch.no_grad():
            for tensor, value in self._tensors:
                tensor.copy_(value)
        for module, training in self._training:
            module.training = training
        for parameter, learning in self._learning:
            parameter.requires_grad_(learning)
            parameter.grad = None


class ParameterAverage:
    """Mean of parameters over several states.

    Args:
        parameters: Parameters to average and to set.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self._parameters = parameters
        self.forget()

    def add(self) -> None:
        """Add the present state to the mean."""
        self._n += 1
        for mean, parameter in zip(self._means, self._parameters, strict=True):
            mean += (parameter.detach() - mean) / self._n

    def apply(self) -> None:
        """Set the parameters to the mean; nothing happens if no state was added."""
        if self._n:
            with torch.no_grad():
                for mean, parameter in zip(self._means, self._parameters, strict=True):
                    parameter.copy_(mean)

    def forget(self) -> None:
        """Remove all states."""
        self._n = 0
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]


def named_modules(model: nn.Module) -> dict[str, nn.Module]:
    """All modules by name, as `model.named_modules()` but faster.

    `model.named_modules()`, `parameters()` and the like hash the network. To compute its hash, a
    network of the host reads the metadata of all installed packages, which takes half a second.
    """
    found = {"": model}
    for name, child in model.named_children():
        found |= dict(child.named_modules(prefix=name))
    return found


def named_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters by name; shared parameters appear once."""
    return _once(model, lambda module: module.named_parameters(recurse=False))


def named_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers by name, saved or not; shared tensors appear once."""
    buffers = _once(model, lambda module: module.named_buffers(recurse=False))
    return {**named_parameters(model), **buffers}


def _once(
    model: nn.Module, members: Callable[[nn.Module], Iterable[tuple[str, _Tensor]]]
) -> dict[str, _Tensor]:
    found: dict[str, _Tensor] = {}
    seen: set[int] = set()
    for prefix, module in named_modules(model).items():
        for name, tensor in members(module):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                found[f"{prefix}.{name}" if prefix else name] = tensor
    return found
