"""Names of the criteria of runs."""

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
