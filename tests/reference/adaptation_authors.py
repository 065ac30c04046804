"""Writes adaptation_authors.json: two batches of Tent, EATA, SAR, LAME and T3A by their authors.

Needs checkouts of DequanWang/tent, mr-eggplant/EATA, mr-eggplant/SAR, fiveai/LAME and
matsuolab/T3A, named tent, EATA, SAR, LAME and T3A, in one folder:

    PYTHONPATH=. python tests/reference/adaptation_authors.py CHECKOUTS

The test builds the same network and batches. All methods learn with SGD, momentum 0.9, so that the
second step depends on the first.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path

import numpy as np
import torch
from torch import nn

C, LEARNING_RATE, MARGIN = 4, 0.05, 0.4 * np.log(4)


class Network(nn.Module):
    """Convolution, batch norm and linear classifier, with fixed random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = C
        self.featurizer = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.classifier = nn.Linear(6, C)
        rng = np.random.default_rng(15)
        with torch.no_grad():
            for name, tensor in self.named_parameters():
                scale = 3.5 if name == "classifier.weight" else 0.5
                value = torch.from_numpy(rng.normal(0, scale, tensor.shape)).float()
                tensor.copy_(1 + 0.2 * value if name.endswith("1.weight") else value)

    def embeddings(self, features: torch.Tensor) -> torch.Tensor:
        """Outputs of the last layer but one, shape (N, 6)."""
        return self.featurizer(features)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits, shape (N, 4)."""
        return self.classifier(self.featurizer(features))


def draw_batches() -> list[torch.Tensor]:
    """Two batches of 16 noises with different levels and tilts."""
    rng = np.random.default_rng(4)
    tilt = np.linspace(-1, 1, 8) * rng.normal(size=(2, 16, 1, 8, 1))
    noise = rng.normal(size=(2, 16, 1, 8, 8)) * rng.uniform(0.2, 3, (2, 16, 1, 1, 1))
    return list(torch.from_numpy(noise + np.swapaxes(tilt, 3, 4)).float())


def _load(path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _learn(module: types.ModuleType, make: object) -> dict:
    network = module.configure_model(Network())
    parameters, names = module.collect_params(network)
    method = make(network, parameters)
    logits = [method(batch).tolist() for batch in draw_batches()]
    values = [parameter.tolist() for parameter in parameters]
    return {"logits": logits, "parameters": dict(zip(names, values, strict=True))}


def _fishers(network: nn.Module) -> dict:
    """As in main.py of EATA, over the two batches in reverse order."""
    fishers = {}
    for batch in reversed(draw_batches()):
        logits = network(batch)
        nn.functional.cross_entropy(logits, logits.argmax(dim=1)).backward()
        for name, parameter in network.named_parameters():
            if parameter.grad is not None:
                square = parameter.grad.detach().clone() ** 2 / 2
                old = fishers[name][0] if name in fishers else 0
                fishers[name] = [old + square, parameter.detach().clone()]
        network.zero_grad()
    return fishers


def main() -> None:
    """Run the authors' code and write its results."""
    folder = Path(sys.argv[1])
    sgd = {"lr": LEARNING_RATE, "momentum": 0.9}
    tent, eata = _load(folder / "tent/tent.py"), _load(folder / "EATA/eata.py")
    sar, sam = _load(folder / "SAR/sar.py"), _load(folder / "SAR/sam.py")
    values = {
        "tent": _learn(tent, lambda net, p: tent.Tent(net, torch.optim.SGD(p, **sgd))),
        "sar": _learn(
            sar, lambda net, p: sar.SAR(net, sam.SAM(p, torch.optim.SGD, **sgd), margin_e0=MARGIN)
        ),
    }
    for name, alpha in (("eta", 0.0), ("eata", 200.0)):
        values[name] = _learn(
            eata,
            lambda net, p, alpha=alpha: eata.EATA(
                net,
                torch.optim.SGD(p, **sgd),
                fishers=_fishers(net) if alpha else None,
                fisher_alpha=alpha,
                e_margin=MARGIN,
                d_margin=0.97,
            ),
        )
    network, batches = Network().eval(), draw_batches()

    package = _load_package(folder / "LAME/src/adaptation/lame.py")
    affinity = package.kNN_affinity(knn=5)
    with torch.no_grad():
        batch = batches[0]
        unary = -torch.log(network(batch).softmax(-1) + 1e-10)
        kernel = affinity(nn.functional.normalize(network.embeddings(batch), dim=-1))
        kernel = (kernel + kernel.t()) / 2
        values["lame"] = {"probabilities": package.laplacian_optimization(unary, kernel).tolist()}

        algorithms = types.ModuleType("domainbed.algorithms")
        algorithms.Algorithm = type("Algorithm", (nn.Module,), {"__init__": _keep})
        sys.modules["domainbed"] = types.ModuleType("domainbed")
        sys.modules["domainbed.algorithms"] = algorithms
        t3a = _load(folder / "T3A/domainbed/adapt_algorithms.py")
        method = t3a.T3A(None, C, 1, {"filter_K": 3, "cached_loader": False}, network)
        values["t3a"] = {"logits": [method(batch, adapt=True).tolist() for batch in batches]}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(values) + "\n")


def _load_package(path: Path) -> types.ModuleType:
    """Module of LAME, whose relative imports are replaced."""
    names = ("non_adaptive", "build")
    for name in ("lame_authors", *(f"lame_authors.{name}" for name in names)):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["lame_authors.non_adaptive"].NonAdaptiveMethod = object
    registry = types.SimpleNamespace(register=lambda: lambda cls: cls)
    sys.modules["lame_authors.build"].ADAPTER_REGISTRY = registry
    sys.modules["lame_authors"].__path__ = [str(path.parent)]
    spec = importlib.util.spec_from_file_location("lame_authors.lame", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _keep(self: nn.Module, *arguments: object) -> None:
    nn.Module.__init__(self)
    self.hparams = arguments[-1]


if __name__ == "__main__":
    main()
