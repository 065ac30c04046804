"""Published weights of CP-Mobile as files."""

import pickle
from pathlib import Path

import numpy as np
import torch

from autrainer_ext.models import CPMobile
from autrainer_ext.models.cp_mobile_published import from_published


def load_published(path: Path | str) -> CPMobile:
    """Load the network whose published weights a file holds.

    Args:
        path: `.npz` with one array per weight, or a `.ckpt` or `.pt` of PyTorch, bare or within
            a training checkpoint. Neither is allowed to execute code.

    Returns:
        The network in evaluation mode; see `from_published`.

    Raises:
        ValueError: If the file cannot be read or does not hold a CP-Mobile.
    """
    path = Path(path)
    try:
        return from_published(_read_state(path))
    except ValueError as error:
        raise ValueError(f"'{path}': {error}") from error


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise ValueError("The file does not exist.")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            "The file holds more than weights and is not loaded, since that could execute code; "
            "save its 'state_dict' alone."
        ) from error
    except (RuntimeError, ValueError, EOFError, OSError) as error:
        raise ValueError("The file does not hold weights.") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    return {name: w for name, w in content.items() if isinstance(w, torch.Tensor)}
