"""How often 95 % intervals of confusion matrices contain the true value, on a grid of truths.

Classes, samples, accuracies, kinds of mistakes and skews of the labels form a grid of 1,120 cells;
`--square` keeps a Latin square of 206 of them. From the true table of a cell, confusion matrices
are drawn, and their intervals compared with the true values. Each cell is a file; a second call
adds those that are missing. The report gathers all files in one table and draws the figure.

    python benchmarks/interval_coverage.py --square                 # hours on one core
    python benchmarks/interval_coverage.py --square --shard 2/4     # every fourth cell
    python benchmarks/interval_coverage.py --cell 10,150,0.8,even,6 --tables 100
    python benchmarks/interval_coverage.py --report docs/studies    # CSV and figure of the page
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from tqdm import tqdm

from autrainer_ext.atomic import atomic_file
from autrainer_ext.information.posterior import (
    QUANTITIES,
    estimate,
    limits,
    present_classes,
    samples_needed,
    table_quantities,
)
from autrainer_ext.plotting import looks

CLASSES = (2, 4, 8, 10, 35)
SAMPLES = (50, 100, 150, 200, 300, 600, 1500, 5000)
MISTAKES = (
    ("even", 1),
    ("even", 6),
    ("even", 20),
    ("similar", 1),
    ("similar", 20),
    ("frequent", 6),
)
ACCURACIES = (0, 0.5, 0.8, 0.9, 0.98)  # 0: chance
DEMANDED = ((10, 150, 0.8), (8, 200, 0.9, "even", 6))
N_DRAWS = 200
GROUPS = {
    "information": QUANTITIES[:4],
    "divergence": QUANTITIES[4:7],
    "x": QUANTITIES[7:10],
    "accuracies": QUANTITIES[10:],
}


class Cell(NamedTuple):
    """A cell of the grid: a true table and a number of samples."""

    classes: int
    samples: int
    accuracy: float  # 0: chance
    mistakes: str  # even, similar (7 of 10 to one class) or frequent (to frequent classes)
    skew: int  # the most frequent class over the rarest

    @property
    def name(self) -> str:
        """Name of its file."""
        return "k{}_n{}_a{}_{}{}".format(*self)

    @property
    def chunk(self) -> int:
        """Tables per seed."""
        return 50 if self.classes == 35 else 100


def cells(square: bool) -> list[Cell]:
    """All cells, or those of the Latin square and the demanded ones."""
    found = []
    grid = (list(enumerate(values)) for values in (CLASSES, SAMPLES, MISTAKES, ACCURACIES))
    for (a, k), (b, n), (c, (mistakes, skew)), (d, accuracy) in itertools.product(*grid):
        if k == 2 and mistakes == "similar":
            continue
        cell = Cell(k, n, 0.65 if k == 2 and accuracy == 0.5 else accuracy, mistakes, skew)
        in_square = (a + b + c + d) % 5 == 0 and not (k == 35 and (b + c) % 2)
        if not square or in_square or cell[:3] in DEMANDED or cell in DEMANDED:
            found.append(cell)
    return found


def truth(cell: Cell) -> np.ndarray:
    """True shares of a cell, shape (k, k); rows are true classes."""
    k, skew = cell.classes, cell.skew
    rows = np.geomspace(1, 1 / skew, k)
    rows /= rows.sum()
    accuracy = cell.accuracy or 1 / k
    off = ~np.eye(k, dtype=bool)
    if cell.mistakes == "frequent":
        return rows[:, None] * _towards_frequent(rows, accuracy, max(skew, 6), not cell.accuracy)
    spread = off / (k - 1)
    if cell.mistakes == "similar":
        spread, i = 0.1 * spread, np.arange(k)
        partner = i ^ 1
        partner[partner == k] = 0
        spread[i, partner] += 0.7
        spread[i, (i + 2) % k] += 0.2
        spread /= spread.sum(axis=1, keepdims=True)
    return rows[:, None] * (accuracy * np.eye(k) + (1 - accuracy) * spread)


def _towards_frequent(
    rows: np.ndarray, accuracy: float, skew: float, is_chance: bool
) -> np.ndarray:
    """Rows of predictions that prefer frequent classes, by bisection of the weight of hits."""
    k = len(rows)
    columns = np.geomspace(1, 1 / skew, k)
    columns /= columns.sum()
    if is_chance:
        return np.tile(columns, (k, 1))
    low, high = 1e-3, 1e9
    for _ in range(200):
        weight = np.sqrt(low * high)
        predicted = columns * np.where(np.eye(k, dtype=bool), weight, 1)
        predicted /= predicted.sum(axis=1, keepdims=True)
        if (rows * np.diag(predicted)).sum() < accuracy:
            low = weight
        else:
            high = weight
    return predicted


def draw_tables(cell: Cell, n_tables: int) -> Iterator[tuple[int, np.ndarray]]:
    """Seed and counts of each table."""
    shares = truth(cell).ravel()
    for chunk in range(-(-n_tables // cell.chunk)):
        seeds = [cell.classes, cell.samples, int(cell.accuracy * 100), cell.skew]
        rng = np.random.default_rng([*seeds, len(cell.mistakes), chunk])
        drawn = rng.multinomial(cell.samples, shares, cell.chunk)
        for number, table in enumerate(drawn[: n_tables - chunk * cell.chunk]):
            yield chunk * 1000 + number, table.reshape(cell.classes, cell.classes)


def simulate(cell: Cell, n_tables: int) -> pd.DataFrame:
    """Coverage, width and bias of all quantities in a cell, one row per quantity."""
    true = table_quantities(truth(cell))
    given, low, high, corrected, plugin = ([] for _ in range(5))
    for seed, counts in draw_tables(cell, n_tables):
        found = estimate(counts, n_draws=N_DRAWS, seed=seed)
        present = len(present_classes(counts))
        given.append([cell.samples >= samples_needed(q, present) for q in QUANTITIES])
        for values, new in zip((low, high), limits(found), strict=True):
            values.append(new)
        corrected.append(found.corrected)
        plugin.append(found.plugin)
    given, low, high = (np.array(values) for values in (given, low, high))
    covers = (low <= true + 1e-6) & (true - 1e-6 <= high)
    rows = []
    for q, quantity in enumerate(QUANTITIES):
        own = covers[given[:, q], q]
        coverage = own.mean() if own.size else np.nan
        error = np.sqrt(coverage * (1 - coverage) / max(own.size, 1))
        biases = (np.array(values)[:, q].mean() - true[q] for values in (corrected, plugin))
        width = (high - low)[:, q].mean()
        figures = (given[:, q].mean(), coverage, error, width, *biases, true[q])
        rows.append([*cell, quantity, n_tables, *(round(float(figure), 4) for figure in figures)])
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = [*Cell._fields, "quantity", "tables", "share_given", "coverage", "error", "mean_width"]
COLUMNS += ["bias_corrected", "bias_plugin", "truth"]


def draw(table: pd.DataFrame) -> Figure:
    """Coverage of every cell by the number of samples, one panel per group of quantities."""
    figure, panels = plt.subplots(
        1, len(GROUPS), figsize=(9, 2.6), sharey=True, layout="constrained"
    )
    place = {n: number for number, n in enumerate(SAMPLES)}
    for axes, (name, quantities) in zip(panels, GROUPS.items(), strict=True):
        own = table[table["quantity"].isin(quantities) & (table["share_given"] > 0.5)]
        axes.axhspan(0.92, 0.98, color="0.92", zorder=0)
        axes.axhline(0.95, color="0.6", linewidth=0.8, zorder=1)
        for number, (k, rows) in enumerate(own.groupby("classes")):
            shift = 0.13 * (number - 2)
            at, look = rows["samples"].map(place) + shift, looks(number + 1)[-1]
            axes.plot(
                at,
                rows["coverage"],
                look.marker,
                color=look.color,
                markersize=2.5,
                alpha=0.6,
                label=str(k),
            )
        axes.set_title(name, fontsize=9)
        axes.set_xticks(range(len(SAMPLES)), SAMPLES, rotation=60, fontsize=7)
        axes.tick_params(axis="y", labelsize=7)
        axes.set_ylim(0.84, 1.005)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("coverage", fontsize=8)
    figure.supxlabel("samples", fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, title="classes", loc="outside right center", frameon=False)
    return figure


def report(folder: Path, page: Path) -> None:
    """Gather the files of all cells in the CSV of the page, draw its figure, print a summary."""
    existing = page / "intervals.csv"
    parts = [pd.read_csv(path) for path in sorted(folder.glob("*.csv"))]
    if existing.is_file():
        parts.insert(0, pd.read_csv(existing))
    table = pd.concat(parts).drop_duplicates([*Cell._fields, "quantity"], keep="last")
    table = table.sort_values([*Cell._fields], kind="stable")
    with atomic_file(existing) as part:
        table.to_csv(part, index=False)
    with atomic_file(page / "intervals.png") as part:
        draw(table).savefig(part, dpi=150)
    given = table[table["share_given"] > 0.5]
    for name, quantities in GROUPS.items():
        own = given.loc[given["quantity"].isin(quantities), "coverage"]
        print(
            f"{name:12} {len(own):5} cells x quantities, mean {own.mean():.3f}, "
            f"{own.min():.3f} to {own.max():.3f}, below 0.92 {np.mean(own < 0.92):.1%}, "
            f"above 0.98 {np.mean(own > 0.98):.1%}"
        )


def _cell(text: str) -> Cell:
    k, n, accuracy, mistakes, skew = text.split(",")
    number = float(accuracy)
    return Cell(int(k), int(n), int(number) if number == 0 else number, mistakes, int(skew))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("results/interval_coverage"))
    parser.add_argument("--tables", type=int, help="per cell; default: 400, 200 of 35 classes")
    parser.add_argument("--square", action="store_true", help="the Latin square only")
    parser.add_argument("--shard", default="1/1", help="I/N: every N-th cell, from the I-th on")
    parser.add_argument("--cell", type=_cell, help="classes,samples,accuracy,mistakes,skew")
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="write CSV and figure there")
    arguments = parser.parse_args()
    if arguments.report:
        report(arguments.output, arguments.report)
        return
    number, of = map(int, arguments.shard.split("/"))
    chosen = [arguments.cell] if arguments.cell else cells(arguments.square)[number - 1 :: of]
    for cell in tqdm(chosen, unit="cell"):
        path = arguments.output / f"{cell.name}.csv"
        if not path.is_file():
            n_tables = arguments.tables or (200 if cell.classes == 35 else 400)
            with atomic_file(path) as part:
                simulate(cell, n_tables).to_csv(part, index=False)


if __name__ == "__main__":
    main()
