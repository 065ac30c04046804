"""Command `export`: a trained network as an ONNX file, its budget, and what int8 costs."""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from autrainer.core.scripts import AbstractScript, CommandLineError

from .arguments import (
    add_options,
    check_free,
    check_inputs,
    check_model,
    find_audio_files,
    progress_bar,
    reporting_errors,
)

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from autrainer_ext.export.network import Clip, ClipMaker
    from autrainer_ext.serving.clip_reader import ClipReader

_MOST_CALIBRATION = 256  # recordings; ranges hardly change with more
_MOST_CHECKED = 64


@dataclass
class ExportArgs:
    """Arguments of the command."""

    model: str
    output: str
    front_end: bool
    int8: bool
    calibration: list[str] | None
    audio: str | None
    targets: str | None
    checkpoint: str
    extension: str
    recursive: bool
    quiet: bool


class ExportScript(AbstractScript):
    """Export a trained network to an ONNX file."""

    def __init__(self) -> None:
        super().__init__(
            "export",
            "Export a trained network to an ONNX file for small devices.",
            "Writes model.onnx, with --int8 also model_int8.onnx, and what they cost per clip\n"
            "(budget.csv, card.md). With --targets, also what int8 changes, with intervals.\n"
            "'autrainer-ext inference' runs the files.\n"
            "Exit code: 0 done, 1 not exported, 3 done but some recordings could not be used.",
            "Examples:\n"
            "  autrainer-ext export model exported --front-end\n"
            "  autrainer-ext export model exported --int8 --calibration recordings\n"
            "  autrainer-ext inference exported/model_int8.onnx recordings out",
            dataclass=ExportArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        add = self.parser.add_argument
        add("model", help="Run or model directory.")
        add("output", help="Folder to create.")
        add(
            "--front-end",
            action="store_true",
            help="Include the front end: waveform in, probabilities out.",
        )
        add(
            "--int8",
            action="store_true",
            help="Also quantise the network to int8; needs --calibration.",
        )
        add(
            "--calibration",
            nargs="+",
            metavar="AUDIO",
            help="Audio files and folders of them, as the device will hear them: the ranges\n"
            f"of layers in int8 are taken from at most {_MOST_CALIBRATION} of them.",
        )
        add(
            "--audio",
            metavar="FOLDER",
            help="Folder of recordings to compare int8 with float32 on; needs --targets.",
        )
        add(
            "--targets",
            "--labels",
            metavar="FILE",
            help="CSV with the columns filename and target (true class); further columns, such as\n"
            "device, define strata.",
        )
        add_options(self.parser, "checkpoint", "extension", "recursive", "quiet")

    def main(self, args: ExportArgs) -> None:
        """Run the command; exits with 3 if some recordings could not be used.

        Raises:
            CommandLineError: If nothing could be exported or an argument is wrong.
        """
        if args.int8 != (args.calibration is not None):
            raise CommandLineError(self.parser, "Options --int8 and --calibration need each other.")
        if (args.audio is None) != (args.targets is None):
            raise CommandLineError(self.parser, "Options --audio and --targets need each other.")
        if args.audio is not None and not args.int8:
            raise CommandLineError(self.parser, "Option --audio needs --int8.")
        with reporting_errors(self.parser):
            check_model(args.model, args.checkpoint)
            check_inputs(args.calibration or ())
            check_free(args.output)
            n_failed = _export(args)
        if n_failed:
            sys.exit(3)


@dataclass
class _Exported:
    """Files of an export, by the name of their input and by their precision.

    Attributes:
        contents: Content for (input, precision).
        difference: Largest difference from torch.
        n_checked: Number of recordings it was looked for in.
        errors: Reason for each recording that could not be used.
    """

    contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    difference: float = 0.0
    n_checked: int = 0
    errors: dict[str, str] = field(default_factory=dict)


def _export(args: ExportArgs) -> int:
    """Export, measure and write; returns the number of recordings that could not be used."""
    from autrainer_ext.atomic import atomic_folder
    from autrainer_ext.export.effects import FLOAT32, INT8
    from autrainer_ext.export.network import FEATURES, WAVEFORM, ClipMaker
    from autrainer_ext.serving.audio_files import error_table, write_errors
    from autrainer_ext.serving.clip_reader import ClipReader
    from autrainer_ext_plugins.writing import write_table

    reader = ClipReader(model_path=args.model, checkpoint=args.checkpoint, device="cpu")
    maker = ClipMaker(reader)
    exported = _Exported()
    clips = _calibration_clips(args, maker, exported.errors)
    _make_files(args, reader, clips or [_synthetic_clip(maker)], exported)
    chosen = WAVEFORM if args.front_end else FEATURES
    budget = _budget_table(exported, maker)
    lines = _card(args, exported, budget, reader)
    with atomic_folder(Path(args.output)) as folder:
        (folder / "model.onnx").write_bytes(exported.contents[chosen, FLOAT32])
        if args.int8:
            (folder / "model_int8.onnx").write_bytes(exported.contents[chosen, INT8])
        write_table(budget, folder / "budget.csv")
        if args.audio is not None:
            lines += _write_effects(args, maker, exported, folder)
        (folder / "card.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        write_errors(error_table(exported.errors, exported.errors), folder)
    if not args.quiet:
        print("\n".join(lines))
    return len(exported.errors)


def _calibration_clips(
    args: ExportArgs, maker: "ClipMaker", errors: dict[str, str]
) -> "list[Clip]":
    """Clips of calibration, evenly from all recordings."""
    if args.calibration is None:
        return []
    root, files = find_audio_files(args.calibration, args.extension, args.recursive)
    step = -(-len(files) // _MOST_CALIBRATION)
    clips = list(_read(maker, root, files[::step], errors, "Calibration", quiet=args.quiet))
    if not clips:
        file, reason = next(iter(errors.items()))
        raise ValueError(f"No recording of the calibration can be used: '{file}' ({reason}).")
    return clips


def _read(
    maker: "ClipMaker",
    root: Path,
    files: list[str],
    errors: dict[str, str],
    what: str,
    *,
    quiet: bool,
) -> Iterator["Clip"]:
    """Clips of the files that can be used; the reasons of the others go to `errors`."""
    from autrainer_ext.serving.audio_files import UnusableFileError

    for file in progress_bar(what, quiet=quiet)(files):
        try:
            yield maker.read(root, file)
        except UnusableFileError as error:
            errors[file] = str(error)


def _synthetic_clip(maker: "ClipMaker") -> "Clip":
    """A second of a decaying noise, at the sample rate of the model."""
    import torch

    n_samples = maker.reader.rate
    noise = torch.randn(1, n_samples, generator=torch.Generator().manual_seed(0))
    return maker("synthetic noise", 0.1 * noise * torch.linspace(1, 0, n_samples))


def _make_files(
    args: ExportArgs, reader: "ClipReader", clips: "list[Clip]", exported: _Exported
) -> None:
    """Export with and without front end, in all precisions, and check float32 against torch."""
    from autrainer_ext.export.effects import FLOAT32, INT8
    from autrainer_ext.export.int8 import quantise
    from autrainer_ext.export.network import (
        FEATURES,
        WAVEFORM,
        as_example,
        export_network,
        largest_difference,
    )

    checked = clips[:: -(-len(clips) // _MOST_CHECKED)]
    exported.n_checked = len(checked)
    for name in (FEATURES, WAVEFORM):
        try:
            content = export_network(reader, as_example(reader, clips[0], name), name)
        except ValueError:
            if args.front_end or name == FEATURES:
                raise
            continue  # its budget is left out
        exported.contents[name, FLOAT32] = content
        found = largest_difference(reader, content, checked)
        exported.difference = max(exported.difference, found)
        if args.int8:
            inputs = [clip.input(name).contiguous().numpy() for clip in clips]
            exported.contents[name, INT8] = quantise(content, inputs)


def _budget_table(exported: _Exported, maker: "ClipMaker") -> "pd.DataFrame":
    """Cost of one second for every input and precision."""
    import pandas as pd

    from autrainer_ext.export.budget import BYTES_PER_PARAMETER, measure_budget

    clip = _synthetic_clip(maker)
    n_parameters = sum(each.numel() for each in maker.reader.model.parameters())
    sizes = {f"bytes_{name}": n_parameters * n for name, n in BYTES_PER_PARAMETER.items()}
    rows = [
        {"input": name, "precision": precision, "parameters": n_parameters}
        | sizes
        | asdict(measure_budget(content, clip.input(name).contiguous().numpy()))
        for (name, precision), content in exported.contents.items()
    ]
    return pd.DataFrame(rows)


def _card(
    args: ExportArgs, exported: _Exported, budget: "pd.DataFrame", reader: "ClipReader"
) -> list[str]:
    """Text of the budget card."""
    from autrainer_ext.export.budget import BYTES_PER_PARAMETER, MOST_BYTES, MOST_MULTIPLY_ADDS

    first = budget.iloc[0]
    where = f"{exported.n_checked} recordings" if args.int8 else "synthetic noise"
    lines = [
        f"# {type(reader.model).__name__} from {Path(args.model).resolve().name}",
        "",
        f"Largest difference from torch: {exported.difference:.1e} ({where}).",
        "",
        "| budget of DCASE Task 1 | this network | most | share |",
        "|---|---|---|---|",
        _share("multiply-adds of 1 s", first["multiply_adds"], MOST_MULTIPLY_ADDS),
    ]
    for name in BYTES_PER_PARAMETER:
        lines.append(
            _share(
                f"bytes of {first['parameters']:,} parameters in {name}",
                first[f"bytes_{name}"],
                MOST_BYTES,
            )
        )
    lines += [
        "",
        "| input, precision | file, bytes | multiply-adds | peak memory, bytes | one clip, ms |",
        "|---|---|---|---|---|",
    ]
    for row in budget.to_dict("records"):
        lines.append(
            f"| {row['input']}, {row['precision']} | {row['file_bytes']:,} | "
            f"{row['multiply_adds']:,} | {row['peak_memory_bytes']:,} | {row['latency_ms']:.2f} "
            f"({row['latency_ms_low']:.2f} to {row['latency_ms_high']:.2f}) |"
        )
    return lines


def _share(what: str, value: int, most: int) -> str:
    return f"| {what} | {value:,} | {most:,} | {value / most:.0%}{' (above)' * (value > most)} |"


def _write_effects(
    args: ExportArgs, maker: "ClipMaker", exported: _Exported, folder: Path
) -> list[str]:
    """Write what int8 changes on recordings with targets; returns lines of the card."""
    import numpy as np
    import pandas as pd

    from autrainer_ext.evaluation.recordings import map_classes, read_folder
    from autrainer_ext.evaluation.scores import score_table
    from autrainer_ext.export.effects import (
        FLOAT32,
        INT8,
        N_EXPLAINED,
        PairedOutputs,
        explanation_differences,
        paired_differences,
    )
    from autrainer_ext.export.network import FEATURES, as_function
    from autrainer_ext.runs import RunOutputs, read_class_names
    from autrainer_ext.serving.silence import silent_value
    from autrainer_ext_plugins.entropy_triangle.report import write_outputs_triangle
    from autrainer_ext_plugins.writing import write_table

    assert args.audio is not None  # checked with the arguments
    assert args.targets is not None
    class_names = read_class_names(Path(args.model))
    recordings = map_classes(read_folder(args.audio, args.targets), class_names, None)
    files = recordings.table["filename"].tolist()
    int8 = as_function(exported.contents[FEATURES, INT8])
    before, after, used = [], [], []
    explained: list[torch.Tensor] = []
    for clip in _read(maker, Path(args.audio), files, exported.errors, "int8", quiet=args.quiet):
        before.append(clip.logits)
        after.append(int8(clip.features))
        used.append(clip.name)
        explained += [clip.features] if len(explained) < N_EXPLAINED else []
    if len(used) < 2:
        raise ValueError(f"Fewer than two recordings in '{args.audio}' can be used.")
    table = recordings.table[recordings.table["filename"].isin(used)].reset_index(drop=True)
    strata = table[list(recordings.strata)]
    targets = np.array([class_names.index(name) for name in table["target"]])
    outputs = PairedOutputs(np.concatenate(before), np.concatenate(after), targets)
    parts = [
        (name, RunOutputs(logits, targets, np.arange(len(targets)), class_names))
        for name, logits in ((FLOAT32, outputs.before), (INT8, outputs.after))
    ]
    write_outputs_triangle(parts, folder / "triangle")
    write_table(pd.concat([score_table(*part, strata) for part in parts]), folder / "scores.csv")
    differences = paired_differences(outputs, strata)
    write_table(differences, folder / "differences.csv")
    explanations = explanation_differences(
        as_function(exported.contents[FEATURES, FLOAT32]),
        int8,
        explained,
        baseline=silent_value(maker.reader.transforms, maker.reader.rate),
    )
    write_table(explanations, folder / "explanations.csv")
    return _describe(differences, explanations)


def _describe(differences: "pd.DataFrame", explanations: "pd.DataFrame") -> list[str]:
    """Lines of the card about int8."""
    lines = [
        "",
        "| int8 minus float32 | recordings | difference | 95 % interval |",
        "|---|---|---|---|",
    ]
    for row in differences.to_dict("records"):
        name = f"{row['measure']}, {row['stratum_column']} {row['stratum']}"
        lines.append(_difference(name.replace(", all all", ""), row))
    lines += [_difference(row["measure"], row) for row in explanations.to_dict("records")]
    return lines


def _difference(name: str, row: dict) -> str:
    limits = f"{row['low']:+.3f} to {row['high']:+.3f}"
    return f"| {name} | {row['n_samples']} | {row['difference']:+.3f} | {limits} |"
