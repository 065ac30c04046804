"""Columns that describe the runs in a table: model, criterion, seed and data set."""

from collections.abc import Sequence

import pandas as pd

from autrainer_ext.configurations import sources
from autrainer_ext.runs import Run


def criterion_name(run: Run) -> str:
    """Name of the criterion of a run.

    Args:
        run: The run.

    Returns:
        Name of the configuration if the id of the data set ends with it, such as "Focal" for
        "FSDD-Focal"; else the class with its arguments, such as "FocalLoss(gamma=2.0)".
    """
    dataset = run.config.get("dataset", {})
    known = {name for source in sources() for name in source.names("criterion")}
    carried = [name for name in known if str(dataset.get("id", "")).endswith(f"-{name}")]
    if carried:
        return max(carried, key=len)
    criterion = dataset.get("criterion", "unknown")
    if not isinstance(criterion, dict):
        return str(criterion).rpartition(".")[2]
    arguments = {**criterion}
    path = arguments.pop("_target_", None)
    if path is None:  # shorthand of the host: the path is the key of the arguments
        ((path, arguments),) = criterion.items()
    name = str(path).rpartition(".")[2]
    text = ", ".join(f"{key}={value}" for key, value in (arguments or {}).items())
    return f"{name}({text})" if text else name


def with_run_columns(
    table: pd.DataFrame, runs: Sequence[Run], *, seed: str = "seed"
) -> pd.DataFrame:
    """Describe the runs of a table in columns of their own.

    Args:
        table: Table with the column `run`.
        runs: Runs of the table.
        seed: Name of the column for the seed of the training.

    Returns:
        The table with the columns `run`, `model`, `criterion`, the seed, and `dataset` if the runs
        have different data sets, before all others. For other runs, which earlier calls may have
        written, they keep their values.
    """
    described = pd.DataFrame([{"run": run.name} | describe_run(run) for run in runs])
    described = described.set_index("run")
    described = described.rename(columns={"seed": seed})
    if described["dataset"].nunique() == 1:
        described = described.drop(columns="dataset")
    others = [name for name in table if name != "run" and name not in described]
    columns = {name: table["run"].map(described[name]) for name in described}
    for name, values in columns.items():
        columns[name] = values.fillna(table[name]) if name in table else values
    return table[["run", *others]].assign(**columns)[["run", *described, *others]]


def describe_run(run: Run) -> dict[str, str]:
    """Names of the parts of a run.

    Args:
        run: The run.

    Returns:
        `model`, `criterion`, `seed` and `dataset`, the id of the data set without the criterion.
    """
    criterion = criterion_name(run)
    dataset = str(run.config.get("dataset", {}).get("id", ""))
    return {
        "model": str(run.config.get("model", {}).get("id", "")),
        "criterion": criterion,
        "seed": run.seed,
        "dataset": dataset.removesuffix(f"-{criterion}"),
    }
