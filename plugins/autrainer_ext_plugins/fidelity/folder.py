"""Explanations of a folder of recordings, the work of the command `explain`.

file -> recording (-> with noise) -> features -> attributions, scores, panels, audio
"""

import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tqdm import tqdm

import autrainer_ext
from autrainer_ext.atomic import UnwritableError
from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.attributors.contract import layers
from autrainer_ext.explanation.evaluation import ClipSettings
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.runs import read_class_names
from autrainer_ext.serving.audio_files import (
    UnusableFileError,
    check_file,
    error_table,
    write_errors,
)
from autrainer_ext.serving.audio_reader import brief
from autrainer_ext.serving.clip_reader import ClipReader
from autrainer_ext.serving.forward import ForwardPass
from autrainer_ext.serving.shards import Shards
from autrainer_ext.serving.silence import silent_value
from autrainer_ext.trust import DESCRIPTIONS

from .clips import Clip, ClipExplainer
from .output import OutputFolder
from .recordings import heard_seconds, mix, read_noises, tested_reconstructor


@dataclass(frozen=True)
class Counts:
    """Result of a call.

    Attributes:
        n_explained: Number of files explained, now or earlier.
        n_failed: Number of files that could not be explained.
    """

    n_explained: int
    n_failed: int


class FolderExplanation:
    """Explains the recordings of a folder with one model.

    Args:
        settings: Settings as the user gave them.
        model: Run or model directory.
        input: Folder of recordings.
        output: Folder to create or to continue.

    Attributes:
        window_seconds: Length of the windows in which recordings are explained, or None for the one
            that the front end chooses.
        no_audio_reason: Why no audio of kept and removed parts can be computed, or None.

    Raises:
        ValueError: If the model cannot be loaded, or a noise, target file or layer is wrong.
    """

    def __init__(
        self, settings: ExplainSettings, *, model: Path, input: Path, output: Path
    ) -> None:
        self.settings = settings
        self.input = input
        self.output = OutputFolder(output)
        class_names = read_class_names(model)
        self.targets = None if settings.targets is None else _read_targets(settings.targets)
        _check_targets(self.targets or {}, class_names)
        self.model = model
        self.weights = model / settings.checkpoint / "model.pt"
        self.reader = ClipReader(
            model_path=str(model),
            checkpoint=settings.checkpoint,
            preprocess_cfg=settings.preprocessing,
        )
        forward = ForwardPass(
            self.reader.model, device=settings.device, batch_size=settings.batch_size
        )
        known = dict(layers(forward.network))
        if settings.layer and settings.layer not in known:
            raise unknown_name("layer", settings.layer, known, where="the model")
        self.noises = read_noises(settings.noises, self.reader.rate, settings.seed)
        baseline = settings.baseline
        if baseline is None:
            baseline = silent_value(self.reader.transforms, self.reader.rate)
        self.window_seconds: float | None = None
        if settings.windows == "all":
            self.window_seconds = heard_seconds(self.reader)
        self.no_audio_reason: str | None = None
        reconstructor = None
        try:
            reconstructor = tested_reconstructor(self.reader)
        except ValueError as error:
            self.no_audio_reason = str(error)
        self.explainer = ClipExplainer(
            forward=forward,
            run=model.resolve().name,
            class_names=class_names,
            settings=settings,
            clip_settings=ClipSettings.resolve(settings, baseline),
            rate=self.reader.rate,
            reconstructor=reconstructor,
            front_end=None if reconstructor is None else reconstructor.front_end,
        )

    def run(
        self, files: Sequence[str], *, quiet: bool = False, shards: Shards | None = None
    ) -> Counts:
        """Explain files and write the tables.

        Args:
            files: Paths relative to the input folder.
            quiet: Whether to show no progress bar.
            shards: How the files are divided among processes. Default: they are not.

        Returns:
            Number of explained and failed files.

        Raises:
            ValueError: If the output folder contains other files or results of other settings.
        """
        self.output.open(self._saved_settings())
        shards = shards or Shards()
        found = shards.map(self._explain_file, files, name="Explaining")
        bar = tqdm(found, "Explaining", len(files), unit="file", disable=quiet or shards.has_bar)
        reasons = {file: reason for file, reason in zip(files, bar, strict=True) if reason}
        explained = [file for file in files if file not in reasons]
        clips = [name for file in explained for name, _ in self._windows(file)]
        for line in self.output.write_tables(self.noises, clips):
            print(f"Warning: {line}", file=sys.stderr)
        write_errors(error_table(files, reasons), self.output.path)
        return Counts(len(explained), len(reasons))

    def _explain_file(self, file: str) -> str | None:
        """Explain a file, or return why that fails: one file never ends the others."""
        try:
            self._explain_windows(file)
        except UnusableFileError as error:
            return str(error)
        except UnwritableError:
            raise  # the output folder concerns all files
        except Exception as error:
            return f"{type(error).__name__}: {brief(error)}"
        return None

    def _explain_windows(self, file: str) -> None:
        """Explain what is wanted of a file; silent windows are left out unless all are."""
        check_file(str(self.input / file))
        digest = _digest_file(self.input / file)
        reasons = []
        windows = self._windows(file)
        for name, window in windows:
            try:
                self._explain_window(file, name, window, digest)
            except UnusableFileError as error:
                reasons.append(error)
        if len(reasons) == len(windows):
            raise reasons[0]

    def _explain_window(
        self, file: str, name: str, window: tuple[float, float] | None, digest: str
    ) -> None:
        """Explain a file or a window of it without noise and with every noise."""
        waiting = [noise for noise in self.noises if not self.output.is_done(noise, name, digest)]
        if not waiting:
            return
        recording = self.reader.recording(self.input / file, window)
        start = 0.0 if window is None else window[0]
        for noise in waiting:
            target = (self.targets or {}).get(file)
            samples = mix(recording, self.noises[noise], self.settings.alpha)
            clip = Clip(name, noise, target, samples, self.reader.features(samples), start)
            with self.output.new_clip(noise, name, digest) as folder:
                self.explainer.explain(clip, folder)

    def _windows(self, file: str) -> list[tuple[str, tuple[float, float] | None]]:
        """Names of the clips of a file, and the start and length of each in seconds.

        The last window ends with the file.
        """
        length = self.window_seconds
        if length is None:
            return [(file, None)]
        whole = self.reader.seconds(self.input / file)
        last = max(whole - length, 0)
        starts = [k * length for k in range(math.ceil(last / length))] + [last]
        return [
            (f"{file}/{start:.2f}-{min(start + length, whole):.2f}", (start, length))
            for start in starts
        ]

    def _model_digest(self) -> str:
        """Hash of the network, its weights and its front end."""
        paths = [self.weights, *(self.model / name for name in DESCRIPTIONS)]
        if self.settings.preprocessing not in (None, "default"):
            paths.append(Path(str(self.settings.preprocessing)))
        return _digest(b"".join(path.read_bytes() for path in paths if path.is_file()))

    def _saved_settings(self) -> dict:
        """Everything the results depend on, except the recordings."""
        settings, clip_settings = self.settings, self.explainer.clip_settings
        return {
            "model": self._model_digest(),
            "explainers": list(clip_settings.explainers),
            "masks": list(clip_settings.masks),
            "listen": list(settings.listen),
            "noises": {
                name: None if noise is None else _digest(noise.numpy().tobytes())
                for name, noise in self.noises.items()
            },
            "alpha": settings.alpha,
            "windows": settings.windows,
            "targets": None if self.targets is None else dict(sorted(self.targets.items())),
            "baseline": clip_settings.baseline,
            "layer": settings.layer,
            "samples": settings.samples,
            "target_error": settings.target_error,
            "significant": settings.significant,
            "sanity": settings.sanity,
            "source_compatible": settings.source_compatible,
            "preprocessing": settings.preprocessing,
            "seed": settings.seed,
            "version": autrainer_ext.__version__,
        }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_file(path: Path) -> str:
    """Hash of a file, which may be too large for the memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _read_targets(path: str) -> dict[str, str]:
    try:
        # no value is special: a class may be called "NA"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except Exception as error:  # pandas and its parsers raise many kinds
        raise ValueError(f"File '{path}' is not a CSV table: {error}") from error
    for column in ("filename", "target"):
        if column not in table:
            raise unknown_name("column", column, table, where=f"'{path}'")
    named = table[table["target"] != ""]  # the class of a file without a target is unknown
    return dict(zip(named["filename"], named["target"], strict=True))


def _check_targets(targets: dict[str, str], class_names: Sequence[str]) -> None:
    """Check that the model has all classes.

    Raises:
        ValueError: If a target is not one of the classes.
    """
    for filename, target in targets.items():
        if target not in class_names:
            raise unknown_name(f"target of '{filename}'", target, class_names)
