"""Sample difficulty from the outputs of many checkpoints: measures, ranks, agreement of runs.

This room can be called: `autrainer_ext.difficulty(results)` is
`autrainer_ext.front_door.difficulty.difficulty`. Without this, the room would hide the function of
the same name as soon as it is imported.
"""

import pkgutil
import sys
from types import ModuleType

from .agreement import (
    Agreement,
    PairCorrelations,
    correlate_pairs,
    mean_agreement,
    rank_correlations,
)
from .ensembles import EnsembleSizes, ensemble_sizes
from .measures import (
    RunDifficulty,
    SampleDifficulty,
    class_means,
    cumulative_accuracy,
    measure_run,
    pool_runs,
)
from .ranking import Ranks, order_drawn, rank_difficulty, select_examples

__all__ = [
    "Agreement",
    "EnsembleSizes",
    "PairCorrelations",
    "Ranks",
    "RunDifficulty",
    "SampleDifficulty",
    "class_means",
    "correlate_pairs",
    "cumulative_accuracy",
    "ensemble_sizes",
    "mean_agreement",
    "measure_run",
    "order_drawn",
    "pool_runs",
    "rank_correlations",
    "rank_difficulty",
    "select_examples",
]


class _CallableRoom(ModuleType):
    def __call__(self, *arguments: object, **settings: object) -> object:
        front_door = pkgutil.resolve_name("autrainer_ext.front_door.difficulty:difficulty")
        return front_door(*arguments, **settings)


sys.modules[__name__].__class__ = _CallableRoom
