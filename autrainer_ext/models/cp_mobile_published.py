"""Weights of CP-Mobile under the names of the published code.

The published code names layers by position (`in_c`, `stages.s1.b1.block.0`, `feed_forward`) and
keeps no record of its settings: they are read off the shapes.
"""

import re

import torch

from .cp_mobile import CPMobile
from .cp_mobile_blocks import round_channels

STRIDES_2024 = [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]]

_BLOCK = re.compile(r"stages\.s(\d+)\.b(\d+)\.(.*)")
_LAYERS = {
    "block.0.": "expand.",
    "block.1.": "depthwise.",
    "block.2.": "project.",
    "after_block_norm.gamma": "response_norm.scale",
    "after_block_norm.beta": "response_norm.shift",
}


def from_published(state: dict[str, torch.Tensor]) -> CPMobile:
    """Build the network that published weights belong to.

    Strides leave no trace in the weights: networks with a response norm get those of the 2023
    submission, networks without get those of the 2024 baseline.

    Args:
        state: Weights by published name, with or without a prefix; entries that are not part
            of the network, such as those of a front end, are left out.

    Returns:
        The network in evaluation mode.

    Raises:
        ValueError: If the weights are not those of a whole CP-Mobile.

    Source:
        Published names: fschmid56/cpjku_dcase23, models/cp_mobile_clean.py.
    """
    state = rename_published(state)
    try:
        model = CPMobile(**infer_arguments(state))
        # counters of seen batches may be missing in plain arrays
        missing, unexpected = model.load_state_dict(state, strict=False)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"The weights are not a complete CP-Mobile: {error}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(
            f"The weights are not a CP-Mobile: missing {missing[:3]}, unexpected {unexpected[:3]}."
        )
    return model.eval()


def rename_published(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Translate published layer names to those of `CPMobile`.

    Args:
        state: Weights by published name, with or without a prefix; entries that are not part
            of the network, such as those of a front end, are left out.

    Returns:
        Weights by our names.

    Raises:
        ValueError: If there is no first convolution `in_c.0.0.weight`.
    """
    first = next((name for name in state if name.endswith("in_c.0.0.weight")), None)
    if first is None:
        raise ValueError("No CP-Mobile weights: 'in_c.0.0.weight' is missing.")
    prefix = first.removesuffix("in_c.0.0.weight")
    state = {name.removeprefix(prefix): w for name, w in state.items() if name.startswith(prefix)}
    blocks = sorted({(int(m[1]), int(m[2])) for m in map(_BLOCK.match, state) if m})
    first_block = {stage: min(b for s, b in blocks if s == stage) for stage, _ in blocks}
    renamed = {}
    for name, weight in state.items():
        if match := _BLOCK.match(name):
            stage, block, rest = int(match[1]), int(match[2]), match[3]
            for published, ours in _LAYERS.items():
                rest = rest.replace(published, ours)
            renamed[f"stages.{stage - 1}.{block - first_block[stage]}.{rest}"] = weight
        elif name.startswith("in_c."):
            renamed[name.replace("in_c.", "stem.", 1)] = weight
        elif name.startswith("feed_forward."):
            renamed[name.replace("feed_forward.", "head.", 1)] = weight
    return renamed


def infer_arguments(state: dict[str, torch.Tensor]) -> dict:
    """Arguments of the `CPMobile` whose weights these are.

    Args:
        state: Weights by our names.

    Returns:
        Keyword arguments. Multiplier and expansion are the simplest numbers that give the
        widths found.

    Raises:
        KeyError: If a layer is missing.
        ValueError: If no multiplier and expansion give the widths found.
    """
    depths: dict[int, int] = {}
    for name in state:
        if match := re.fullmatch(r"stages\.(\d+)\.(\d+)\.project\.0\.weight", name):
            depths[int(match[1])] = max(depths.get(int(match[1]), 0), int(match[2]) + 1)
    n_blocks = [depths[stage] for stage in range(len(depths))]
    first, base = state["stem.0.0.weight"], len(state["stem.1.0.weight"])
    widths = [len(state[f"stages.{stage}.0.project.0.weight"]) for stage in range(len(n_blocks))]
    hidden = [
        state[f"stages.{s}.{b}.expand.0.weight"].shape[:2]
        for s, d in depths.items()
        for b in range(d)
    ]
    response_norm = "stages.0.0.response_norm.scale" in state
    return {
        "output_dim": len(state["head.0.weight"]),
        "base_channels": base,
        "channels_multiplier": _simplest(
            lambda m: [round_channels(base * m**stage) for stage in range(len(widths))] == widths,
            f"channels multiplier gives the widths {widths}",
        ),
        "expansion_rate": _simplest(
            lambda e: all(round_channels(narrow * e) == wide for wide, narrow in hidden),
            "expansion rate gives the hidden widths",
        ),
        "n_blocks": n_blocks,
        "strides": None if response_norm else STRIDES_2024,
        "response_norm": response_norm,
        "in_channels": first.shape[1],
    }


def _simplest(fits, what: str) -> float:
    """Number in [1, 20] with the fewest decimals that fits."""
    for decimals in (0, 1, 2):
        for step in range(10**decimals, 20 * 10**decimals + 1):
            if fits(step / 10**decimals):
                return step / 10**decimals
    raise ValueError(f"No {what}.")
