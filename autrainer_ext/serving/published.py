"""Read files with published CP-Mobile weights."""

import pickle
from pathlib import Path

import numpy as np
import torch

from autrainer_ext.models import CPMobile
from autrainer_ext.models.cp_mobile_published import from_published


def load_cp_mobile(path: Path | str) -> CPMobile:
    """Load a CP-Mobile network from published weights.

    Args:
        path: `.npz` file with one array per weight, or `.ckpt` or `.pt` file of PyTorch with the
            weights or a training checkpoint. Code in the file is not executed.

    Returns:
        Network in evaluation mode; see `from_published`.

    Raises:
        ValueError: If the file cannot be read or does not contain CP-Mobile weights.
    """
    path = Path(path)
    try:
        return from_published(_read_state(path))
    except ValueError as error:
        raise ValueError(f"Weights '{path}': {error}") from error


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
            "The file holds more than weights and is not loaded, because that could execute code: "
            "save only its 'state_dict'."
        ) from error
    except Exception as error:  # damaged archives raise many kinds
        raise ValueError("The file does not hold weights.") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    return {name: w for name, w in content.items() if isinstance(w, torch.Tensor)}
