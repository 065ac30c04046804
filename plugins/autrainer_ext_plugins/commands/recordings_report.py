"""What `report MODEL --audio FOLDER` computes, in the layout of an experiment.

recordings -> outputs of the model -> run directory -> plugins that only read outputs, explanations
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import find_audio_files, progress_bar

if TYPE_CHECKING:
    import pandas as pd

    from autrainer_ext.report.source import Experiment

MASKS = ("topK_5", "topK_30", "topK_50")
EXPLAINED = 60  # recordings whose explanations are scored
HINTS = {
    "triangle": "The triangle needs true classes: give them with --targets.",
    "difficulty": "Difficulty needs the runs of an experiment: report RESULTS EXPERIMENT shows it.",
    "fidelity": "No explanation could be scored.",
    "adaptation": "No recording could be used for adaptation.",
    "devices": "Accuracy per device needs --targets with a column for the device.",
    "latent": "Maps need the runs of an experiment: report RESULTS EXPERIMENT shows them.",
}


@dataclass(frozen=True)
class Request:
    """Model, recordings and settings of a report.

    Attributes:
        model: Run or model directory.
        audio: Folder of recordings.
        targets: CSV with the columns `filename` and `target`, or None.
        extension: Extension of the recordings.
        recursive: Whether to search sub-folders too.
        explainer: Explainer of the scores.
        device_column: Column of `targets` with the device.
        quiet: Whether to show no progress.
    """

    model: Path
    audio: Path
    targets: str | None
    extension: str
    recursive: bool
    explainer: str
    device_column: str
    quiet: bool


def make_experiment(request: Request, results: Path) -> tuple["Experiment", list[str]]:
    """Predict the recordings, write them as a run and run what is missing.

    Args:
        request: Model, recordings and settings.
        results: Existing empty folder.

    Returns:
        Experiment with one run, and lines about recordings that cannot be used.

    Raises:
        ValueError: If the model is no classifier, or no recording can be used.
    """
    from autrainer_ext.atomic import atomic_folder
    from autrainer_ext.evaluation.evaluation import evaluate, run_name, write_run
    from autrainer_ext.report.source import open_experiment

    recordings = _read(request)
    evaluated = evaluate(
        request.model, recordings, progress=progress_bar("Predicting", quiet=request.quiet)
    )
    if request.targets is None:  # the layout needs classes; the page does not show these
        outputs = evaluated.outputs
        evaluated = replace(
            evaluated, outputs=replace(outputs, targets=outputs.outputs.argmax(axis=1))
        )
        names = [outputs.class_names[target] for target in evaluated.outputs.targets]
        table = evaluated.recordings.table.assign(target=names)
        evaluated = replace(evaluated, recordings=replace(evaluated.recordings, table=table))
    name = run_name(request.model, recordings)
    with atomic_folder(results / recordings.name / "training" / name) as folder:
        write_run(folder, request.model, evaluated, None, checkpoint="_best")
    experiment = open_experiment(
        results,
        recordings.name,
        device_column=request.device_column,
        audio=request.audio,
        labelled=request.targets is not None,
        hints=HINTS,
    )
    table = evaluated.recordings.table
    if request.targets is not None:
        _run_plugins(experiment, has_devices=request.device_column in table)
    _explain(request, experiment, table["filename"].tolist())
    errors = [f"{row.filename}: {row.reason}" for row in evaluated.errors.itertuples()]
    return experiment, errors


def decide(request: Request, experiment: "Experiment") -> dict[str, Any] | None:
    """Adapt the model to the recordings, and say which network should be served.

    Args:
        request: Model, recordings and settings.
        experiment: Experiment of `make_experiment`.

    Returns:
        `served`, `reason`, and `mix`: the number of recordings that the source model assigns to
        each class. None if the model cannot be adapted to them.
    """
    import numpy as np

    from autrainer_ext import adapt
    from autrainer_ext.report.source import checkpoint_outputs

    outputs = checkpoint_outputs(experiment.told, "test")
    assert outputs is not None  # written by make_experiment
    try:
        adapted = adapt(request.model, request.audio, extension=request.extension)
    except ValueError:
        return None
    counts = np.bincount(outputs.outputs.argmax(axis=1), minlength=len(outputs.class_names))
    mix = [
        {"name": name, "n": int(count)}
        for name, count in zip(outputs.class_names, counts, strict=True)
    ]
    return {"served": adapted.decision.served, "reason": adapted.decision.reason, "mix": mix}


def _read(request: Request) -> Any:  # noqa: ANN401
    """Recordings with their targets, or with the first class of the model in their place."""
    import pandas as pd

    from autrainer_ext.evaluation.recordings import Recordings, read_folder
    from autrainer_ext.runs import read_class_names

    if request.targets is not None:
        return read_folder(request.audio, request.targets)
    _, files = find_audio_files([request.audio], request.extension, request.recursive)
    first = read_class_names(request.model)[0]
    return Recordings(
        name=request.audio.resolve().name,
        folder=request.audio,
        table=pd.DataFrame({"filename": files, "target": first}),
        index_column="filename",
        target_column="target",
        strata=[],
        config={},
    )


def _run_plugins(experiment: "Experiment", *, has_devices: bool) -> None:
    """Run the plugins that only read outputs."""
    from autrainer_ext.plugin import load_plugin

    plugins = [load_plugin("EntropyTriangle", {"figures": False})]
    plugins += [load_plugin("Devices", {"column": experiment.device_column})] * has_devices
    for plugin in plugins:
        folder = experiment.folder / plugin.folder
        folder.mkdir()
        plugin.run(experiment.runs, folder)


def _explain(request: Request, experiment: "Experiment", files: list[str]) -> None:
    """Score explanations of some recordings, spread over all of them."""
    import numpy as np

    from autrainer_ext.explanation.settings import ExplainSettings
    from autrainer_ext_plugins.fidelity.folder import FolderExplanation
    from autrainer_ext_plugins.writing import write_table

    settings = ExplainSettings(
        explainers=(request.explainer,), masks=MASKS, listen=(), panels=False
    )
    chosen = np.unique(np.linspace(0, len(files) - 1, EXPLAINED).astype(int))
    work = experiment.folder / "explanations"
    explained = FolderExplanation(
        settings, model=request.model, input=request.audio, output=work
    ).run([files[i] for i in chosen], quiet=request.quiet)
    if not explained.n_explained:
        return
    for name in ("scores.csv", "summary.csv"):
        table = _of_run(work / name, experiment.told.name)
        write_table(table, experiment.folder / "fidelity" / name)


def _of_run(path: Path, run: str) -> "pd.DataFrame":
    """Table of explanations with the name of the run in place of that of the model."""
    import pandas as pd

    return pd.read_csv(path, keep_default_na=False, na_values=[""]).assign(run=run)
