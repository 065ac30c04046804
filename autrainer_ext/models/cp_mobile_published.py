"""Conversion of published CP-Mobile weights.

The published code uses other layer names (`in_c`, `stages.s1.b1.block.0`, `feed_forward`) and does
not save the arguments of the network; they are inferred from the shapes of the weights.
"""

import re
from collections.abc import Callable

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
    """Build a `CPMobile` with published weights.

    Strides cannot be inferred from the weights. Networks with a response norm get the strides of
    the 2023 submission, networks without it those of the 2024 baseline.

    Args:
        state: Weights by published name, with or without a prefix. Entries that are not part of
            the network, such as those of a front end, are ignored.

    Returns:
        The network in evaluation mode.

    Raises:
        ValueError: If the weights are not those of a complete CP-Mobile.

    Source:
        Published names: fschmid56/cpjku_dcase23, models/cp_mobile_clean.py.

    Example:
        >>> from_published({"stem.weight": torch.zeros(8, 1, 3, 3)})
        Traceback (most recent call last):
        ValueError: No CP-Mobile weights: 'in_c.0.0.weight' is missing.
    """
    state = rename_published(state)
    try:
        model = CPMobile(**infer_arguments(state))
        # the batch counters of batch norms may be missing in plain arrays
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
    """Rename published weights to the layer names of `CPMobile`.

    Args:
        state: Weights by published name, with or without a prefix. Entries that are not part of
            the network, such as those of a front end, are ignored.

    Returns:
        Weights by layer name of `CPMobile`.

    Raises:
        ValueError: If the weight of the first convolution, `in_c.0.0.weight`, is missing.

    Example:
        >>> list(rename_published({"model.in_c.0.0.weight": torch.zeros(8, 1, 3, 3)}))
        ['stem.0.0.weight']
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
    """Infer the arguments of `CPMobile` from its weights.

    Args:
        state: Weights by layer name of `CPMobile`.

    Returns:
        Keyword arguments. `channels_multiplier` and `expansion_rate` are the numbers with the
        fewest decimals that give the channels of the weights.

    Raises:
        KeyError: If a layer is missing.
        ValueError: If no `channels_multiplier` or `expansion_rate` gives the channels.

    Example:
        >>> model = CPMobile(4, base_channels=8, channels_multiplier=2.1, expansion_rate=1.5)
        >>> arguments = infer_arguments(model.state_dict())
        >>> arguments["output_dim"], arguments["base_channels"], arguments["n_blocks"]
        (4, 8, [3, 2, 1])
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
            f"channels multiplier gives the channels {widths}",
        ),
        "expansion_rate": _simplest(
            lambda e: all(round_channels(narrow * e) == wide for wide, narrow in hidden),
            "expansion rate gives the hidden channels",
        ),
        "n_blocks": n_blocks,
        "strides": None if response_norm else STRIDES_2024,
        "response_norm": response_norm,
        "in_channels": first.shape[1],
    }


def _simplest(fits: Callable[[float], bool], what: str) -> float:
    """Smallest number in [1, 20] with at most two decimals, and as few as possible, that fits."""
    for decimals in (0, 1, 2):
        for step in range(10**decimals, 20 * 10**decimals + 1):
            if fits(step / 10**decimals):
                return step / 10**decimals
    raise ValueError(f"No {what}.")
