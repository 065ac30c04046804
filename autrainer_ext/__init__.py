"""Understand and harden audio models trained with autrainer and aucurriculum.

The functions below are loaded when they are first used, so importing the package is fast:

- `entropy_triangle`: entropy triangle of true and predicted labels.
- `explain`: explanation of a prediction, with audio of the kept and removed parts.
- `adapt`: test-time adaptation of a network to unlabelled recordings.
- `difficulty`: table of the difficulty of every sample of an experiment.
- `load_cp_mobile`: CP-Mobile network with published weights.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autrainer_ext.front_door.adaptation import adapt as adapt
    from autrainer_ext.front_door.difficulty import difficulty as difficulty
    from autrainer_ext.front_door.explanation import explain as explain
    from autrainer_ext.front_door.triangle import entropy_triangle as entropy_triangle
    from autrainer_ext.serving.published import load_cp_mobile as load_cp_mobile

__version__ = "0.2.0"

_FUNCTIONS = {
    "adapt": "front_door.adaptation",
    "entropy_triangle": "front_door.triangle",
    "explain": "front_door.explanation",
    "load_cp_mobile": "serving.published",
}
__all__ = ["__version__", "adapt", "difficulty", "entropy_triangle", "explain", "load_cp_mobile"]


def __getattr__(name: str) -> object:
    if name == "difficulty":  # a room of the same name, which can be called
        return importlib.import_module(f"{__name__}.difficulty")
    if name not in _FUNCTIONS:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_FUNCTIONS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
