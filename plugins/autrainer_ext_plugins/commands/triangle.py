"""Command `triangle`: the entropy triangle of the user's own confusion matrices."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autrainer.core.scripts import AbstractScript, CommandLineError

if TYPE_CHECKING:
    import pandas as pd

    from autrainer_ext_plugins.entropy_triangle.tables import ConfusionMatrix

_TABLES = {"coordinates.csv", "summary.csv"}


@dataclass
class TriangleArgs:
    """Arguments of the command."""

    matrices: list[str]
    labels: str | None
    output: str
    first: int
    every: int
    method: str
    n_resamples: int
    overwrite: bool
    quiet: bool


class TriangleScript(AbstractScript):
    """Write coordinates and figures of confusion matrices."""

    def __init__(self) -> None:
        super().__init__(
            "triangle",
            "Place confusion matrices in the entropy triangle.",
            "Rows are true classes, columns predicted ones. Writes coordinates.csv, summary.csv\n"
            "and figures, as the plugin EntropyTriangle does for runs.",
            "Examples:\n"
            "  autrainer-ext triangle --matrices ours.csv theirs.csv\n"
            "  autrainer-ext triangle --matrices results/cms --every 5 --output triangles",
            dataclass=TriangleArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        self.parser.add_argument(
            "--matrices",
            nargs="+",
            required=True,
            metavar="PATH",
            help=".csv with or without header and index column, .npy of shape (..., C, C), or a\n"
            "folder LOSS/fold_K/SPLIT/cm_epoch_E.csv.",
        )
        self.parser.add_argument(
            "--labels", metavar="FILE", help="Text file with one class name per line."
        )
        self.parser.add_argument(
            "--output",
            default="entropy_triangle",
            metavar="DIR",
            help="Folder to write to, new or empty. Default: entropy_triangle.",
        )
        self.parser.add_argument(
            "--from",
            dest="first",
            type=int,
            default=1,
            metavar="E",
            help="First iteration of trajectories. Default: 1.",
        )
        self.parser.add_argument(
            "--every",
            type=int,
            default=1,
            metavar="K",
            help="Iterations that are a multiple of K, and the last one. Default: 1.",
        )
        self.parser.add_argument(
            "--method",
            choices=("basic", "percentile", "bca"),
            default="basic",
            help="Bootstrap intervals over samples. Default: basic.",
        )
        self.parser.add_argument(
            "--n-resamples",
            type=int,
            default=1000,
            metavar="B",
            help="Resamples of every matrix, 0 for no intervals. Default: 1000.",
        )
        self.parser.add_argument(
            "--overwrite",
            action="store_true",
            help="Replace the results in a folder that holds nothing but earlier results.",
        )
        self.parser.add_argument("-q", "--quiet", action="store_true", help="Print errors only.")

    def main(self, args: TriangleArgs) -> None:
        """Run the command.

        Raises:
            CommandLineError: If a matrix, an option or the output folder is unusable.
        """
        if min(args.first, args.every) < 1:
            raise CommandLineError(self.parser, "--from and --every start at 1.")
        output = Path(args.output)
        try:
            earlier = _earlier_results(output, args.overwrite)
            from autrainer_ext_plugins.entropy_triangle.tables import IntervalSettings

            settings = IntervalSettings(method=args.method, n_resamples=args.n_resamples)
            confusions = self._read(args)
        except ValueError as error:
            raise CommandLineError(self.parser, str(error), code=1) from error
        from autrainer_ext_plugins.entropy_triangle.report import write_triangle

        output.mkdir(parents=True, exist_ok=True)
        for path in earlier:
            path.unlink()
        table = write_triangle(confusions, settings, output, quiet=args.quiet)
        if not args.quiet:
            print("\n".join(_describe(table)))
            print(f"Tables and figures: {output}")

    def _read(self, args: TriangleArgs) -> list["ConfusionMatrix"]:
        """Matrices of all paths, long trajectories thinned."""
        from autrainer_ext_plugins.entropy_triangle.matrices import read_matrices
        from autrainer_ext_plugins.entropy_triangle.plugin import thin

        labels = None if args.labels is None else _read_labels(args.labels)
        confusions: list[ConfusionMatrix] = []
        for path in dict.fromkeys(args.matrices):
            found, form = read_matrices(Path(path), labels)
            if not args.quiet:
                print(f"{path}: {form}")
            confusions += found
        iterations: dict[tuple[str, str], list[int]] = {}
        for c in confusions:
            iterations.setdefault((c.run, c.split), []).append(c.iteration)
        for (run, split), numbers in iterations.items():
            if len(set(numbers)) < len(numbers):
                where = f"'{run}'" + (f" ({split})" if split else "")
                raise ValueError(f"{where} is given twice: two matrices of one name.")
        shown = {key: set(thin(own, args.first, args.every)) for key, own in iterations.items()}
        return [c for c in confusions if c.iteration in shown[c.run, c.split]]


def _earlier_results(output: Path, overwrite: bool) -> list[Path]:
    """Files to be replaced, none unless that was asked for."""
    from autrainer_ext.atomic import is_free

    if is_free(output):
        return []
    if not output.is_dir():
        raise ValueError(f"Output '{output}' is not a folder.")
    if not overwrite:
        raise ValueError(
            f"Output folder '{output}' is not empty: choose another with --output, or add "
            "--overwrite."
        )
    files = [path for path in sorted(output.rglob("*")) if not path.is_dir()]
    foreign = [path for path in files if not _is_earlier_result(path.relative_to(output))]
    if foreign:
        raise ValueError(f"Output folder '{output}' holds '{foreign[0].name}', no earlier result.")
    return files


def _is_earlier_result(path: Path) -> bool:
    if len(path.parts) == 1 and path.name in _TABLES:
        return True
    is_ours = path.parts[0] == "runs" if len(path.parts) == 2 else path.name.startswith("criteria")
    return len(path.parts) < 3 and is_ours and path.suffix in (".png", ".svg")


def _read_labels(path: str) -> list[str]:
    if not Path(path).is_file():
        raise ValueError(f"'{path}' does not exist.")
    labels = [line.strip() for line in Path(path).read_text().splitlines() if line.strip()]
    if not labels:
        raise ValueError(f"'{path}' holds no class names.")
    return labels


def _describe(table: "pd.DataFrame") -> Iterator[str]:
    """A line for every matrix, its coordinates and scores."""
    yield "coordinates: divergence, mutual information, variation"
    keys = ["run", "split", "iteration"]
    for (run, split, iteration), rows in table.groupby(keys, sort=False):
        first = rows.iloc[0]
        name = " ".join(part for part in (run, split, str(iteration)) if part)
        parts = [f"{name}: n {first['n_samples']}"]
        for row in rows.to_dict("records"):
            values = (row[key] for key in ("divergence", "mutual_information", "variation"))
            parts.append(f"{row['view']} ({', '.join(f'{value:.8f}' for value in values)})")
        scores = ("accuracy", "balanced_accuracy", "ema", "nit")
        parts += [f"{score.replace('_', ' ')} {first[score]:.4f}" for score in scores]
        yield ", ".join(parts)
