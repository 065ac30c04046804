"""Command `triangle`: entropy triangle of confusion matrices in files."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from autrainer.core.scripts import AbstractScript, CommandLineError

from autrainer_ext.style import Style
from hydra_plugins.autrainer_ext import configuration_directory

from .arguments import (
    add_options,
    earlier_results,
    read_class_list,
    reporting_errors,
    style_settings,
)

if TYPE_CHECKING:
    import pandas as pd

    from autrainer_ext_plugins.entropy_triangle.tables import ConfusionMatrix

_TABLES = {"coordinates.csv", "summary.csv"}


@dataclass
class TriangleArgs:
    """Arguments of the command."""

    paths: list[str]
    matrices: list[str]
    class_names: str | None
    output: str
    start: int
    every: int
    intervals: str
    n_draws: int
    overwrite: bool
    column_width: float | None
    font_size: float | None
    quiet: bool


class TriangleScript(AbstractScript):
    """Write coordinates and figures of confusion matrices."""

    def __init__(self) -> None:
        super().__init__(
            "triangle",
            "Draw confusion matrices in the entropy triangle.",
            "Rows are true classes, columns are predicted classes. Writes coordinates.csv,\n"
            "summary.csv and figures, like the plugin EntropyTriangle, whose defaults it shares.",
            "Examples:\n"
            "  autrainer-ext triangle ours.csv theirs.csv\n"
            "  autrainer-ext triangle results/cms --every 5 --output triangles",
            dataclass=TriangleArgs,
        )
        self._defaults = yaml.safe_load(
            (configuration_directory() / "plugin/EntropyTriangle.yaml").read_text()
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        self.parser.add_argument(
            "paths",
            nargs="*",
            metavar="PATH",
            help=".csv files with or without header and index column, .npy files of shape\n"
            "(..., C, C), or folders LOSS/fold_K/SPLIT/cm_epoch_E.csv.",
        )
        self.parser.add_argument(
            "--matrices", nargs="+", default=[], metavar="PATH", help="More of them."
        )
        self.parser.add_argument(
            "--class-names",
            "--labels",
            dest="class_names",
            metavar="FILE",
            help="Text file with one class name per line.",
        )
        self.parser.add_argument(
            "--output",
            default="entropy_triangle",
            metavar="DIR",
            help="Output folder, new or empty. Default: entropy_triangle.",
        )
        self._add_setting("start", "E", "First iteration of trajectories.", "--from")
        self._add_setting("every", "K", "Use every K-th iteration and the last one.")
        self.parser.add_argument(
            "--intervals",
            choices=("shown", "all", "none"),
            default="all",
            help="Iterations with 95 %% intervals over samples (shown: those of summary.csv);\n"
            "15 ms per matrix of 10 classes, 100 ms per matrix of 35. Default: all.",
        )
        self._add_setting("n-draws", "B", "Posterior draws per interval.")
        add_options(self.parser, "overwrite", "column_width", "font_size", "quiet")

    def _add_setting(self, name: str, metavar: str, text: str, *aliases: str) -> None:
        """Add an option for a number that is also a setting of the plugin."""
        default = self._defaults[name.replace("-", "_")]
        self.parser.add_argument(
            f"--{name}",
            *aliases,
            type=int,
            default=default,
            metavar=metavar,
            help=f"{text} Default: {default}.",
        )

    def main(self, args: TriangleArgs) -> None:
        """Run the command.

        Raises:
            CommandLineError: If a matrix, an option or the output folder cannot be used.
        """
        if not args.paths and not args.matrices:
            raise CommandLineError(self.parser, "Give at least one confusion matrix.")
        for name, least in (("start", 0), ("every", 1)):
            value = getattr(args, name)
            if value < least:
                raise CommandLineError(
                    self.parser, f"Option --{name} must be at least {least}, got {value}."
                )
        output = Path(args.output)
        with reporting_errors(self.parser):
            style = Style(**style_settings(args))
            earlier = earlier_results(output, args.overwrite, _is_result)
            from autrainer_ext_plugins.entropy_triangle.tables import IntervalSettings

            settings = IntervalSettings(
                args.intervals, self._defaults["confidence"], args.n_draws, self._defaults["seed"]
            )
            confusions = _read(args)
        from autrainer_ext_plugins.entropy_triangle.report import write_triangle

        before = {path: path.stat() for path in earlier}
        with reporting_errors(self.parser):
            output.mkdir(parents=True, exist_ok=True)
            with style.applied():
                table = write_triangle(confusions, settings, output, quiet=args.quiet)
            for path, state in before.items():
                if os.path.samestat(path.stat(), state):  # not replaced by a new result
                    path.unlink()
        if not args.quiet:
            print("\n".join(_describe(table)))
            print(f"Tables and figures: {output}")


def _read(args: TriangleArgs) -> list["ConfusionMatrix"]:
    """Read the matrices of all paths and select their iterations."""
    from autrainer_ext_plugins.entropy_triangle.matrices import read_matrices
    from autrainer_ext_plugins.entropy_triangle.tables import select_iterations

    class_names = None if args.class_names is None else read_class_list(args.class_names)
    confusions: list[ConfusionMatrix] = []
    for path in {Path(p).resolve(): Path(p) for p in (*args.paths, *args.matrices)}.values():
        found, form = read_matrices(path, class_names)
        if not args.quiet:
            print(f"{path}: {form}")
        if {c.run for c in found} & {c.run for c in confusions}:
            found = [_with_path(c, path) for c in found]
        confusions += found
    iterations: dict[tuple[str, str], list[int]] = defaultdict(list)
    for c in confusions:
        iterations[c.run, c.split].append(c.iteration)
    selected = {
        key: set(select_iterations(numbers, args.start, args.every))
        for key, numbers in iterations.items()
    }
    return [c for c in confusions if c.iteration in selected[c.run, c.split]]


def _with_path(confusion: "ConfusionMatrix", path: Path) -> "ConfusionMatrix":
    """Matrix whose names begin with its path, to tell it from those of other paths."""
    return replace(
        confusion,
        run=f"{path}/{confusion.run}",
        family=f"{path}/{confusion.family}",
        criterion=f"{path}/{confusion.criterion}",
    )


def _is_result(path: Path) -> bool:
    """Whether an earlier call may have written a file, given by its path in the output folder."""
    if len(path.parts) == 1 and path.name in _TABLES:
        return True
    is_ours = path.parts[0] == "runs" if len(path.parts) == 2 else path.name.startswith("criteria")
    return len(path.parts) < 3 and is_ours and path.suffix in (".png", ".svg")


def _describe(table: "pd.DataFrame") -> Iterator[str]:
    """One line per matrix with its coordinates and scores."""
    yield "coordinates: divergence, mutual information, variation"
    keys = ["run", "split", "iteration"]
    for _, rows in table.groupby(keys, sort=False):
        first = rows.iloc[0]
        name = " ".join(str(first[key]) for key in keys if str(first[key]))
        parts = [f"{name}: n {first['n_samples']}"]
        for row in rows.to_dict("records"):
            values = (row[key] for key in ("divergence", "mutual_information", "variation"))
            parts.append(f"{row['view']} ({', '.join(f'{value:.8f}' for value in values)})")
        scores = ("accuracy", "balanced_accuracy", "ema", "nit")
        parts += [f"{score.replace('_', ' ')} {first[score]:.4f}" for score in scores]
        if first["n_samples"] < first["n_needed"]:
            parts.append(f"all intervals need {first['n_needed']} samples")
        yield ", ".join(parts)
