"""Build the page of an experiment: tables, clips and assets in one folder."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from autrainer_ext.atomic import atomic_folder

from .page import write_page
from .source import Experiment
from .story import choose_clips, tell


def build_report(
    experiment: Experiment,
    folder: Path,
    *,
    n_clips: int = 200,
    explainer: str = "grad_cam",
    mask: str = "topK_30",
    title: str | None = None,
    decision: Mapping[str, Any] | None = None,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> list[str]:
    """Write the page of an experiment; the folder appears complete or not at all.

    Args:
        experiment: The experiment.
        folder: Folder that does not exist, or is empty.
        n_clips: Largest number of recordings with audio and pictures.
        explainer: Explainer of the pictures and of the kept and removed parts.
        mask: Mask that makes the parts.
        title: Title of the page. Default: the name of the experiment.
        decision: Decision of an adaptation to these recordings, with `served`, `reason` and `mix`.
        progress: Function that wraps the recordings and shows the progress.

    Returns:
        Lines about what is missing: sections that could not be read, recordings without audio.

    Raises:
        FileExistsError: If the folder is not empty.
        ValueError: If the told run saved no outputs, or the explainer or mask does not exist.
    """
    from autrainer_ext.explanation.settings import ExplainSettings

    ExplainSettings(explainers=(explainer,), masks=(mask,))  # checks the names
    story = tell(experiment)
    story["meta"] |= {"explainer": explainer, "mask": mask}
    story["meta"]["title"] = title or story["meta"]["title"]
    story["decision"] = decision
    with atomic_folder(folder) as part:
        add_clips(story, experiment, part / "clips", n_clips, progress)
        write_page(story, part)
    return [
        *story["problems"],
        *story["skipped"],
        *([story["no_clips"]] if n_clips and story["no_clips"] else []),
    ]


def add_clips(
    story: dict[str, Any],
    experiment: Experiment,
    folder: Path,
    n_clips: int,
    progress: Callable[[Iterable[int]], Iterable[int]],
) -> None:
    """Write the clips of a story and describe them in it.

    Args:
        story: The story; its `clips`, `skipped` and `no_clips` are set.
        experiment: The experiment.
        folder: Folder to write to.
        n_clips: Largest number of recordings.
        progress: Function that wraps the recordings and shows the progress.
    """
    story |= {"clips": {}, "skipped": [], "no_clips": "No audio was asked for."}
    rows = choose_clips(story["recordings"], n_clips)
    if not rows:
        return
    names = story["recordings"]["filename"]
    if not experiment.audio.is_dir():
        story["no_clips"] = "The recordings were not found: give their folder with --audio."
        return
    from .clips import ClipWriter

    try:
        writer = ClipWriter.open(
            experiment.told.path,
            explainer=story["meta"]["explainer"],
            mask=story["meta"]["mask"],
        )
    except ValueError as error:
        story["no_clips"] = f"No audio: {error}"
        return
    clips, reasons = writer.write_all(
        experiment.audio, {row: names[row] for row in rows}, folder, progress
    )
    story["clips"] = clips
    story["skipped"] = [f"{name}: {reason}" for name, reason in reasons.items()]
    story["no_clips"] = "" if clips else "None of the recordings could be read."
