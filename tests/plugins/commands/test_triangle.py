import shutil

import matplotlib
import numpy as np
import pandas as pd
import pytest
import yaml
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

from autrainer_ext_plugins.cli import CLI
from autrainer_ext_plugins.entropy_triangle.tables import COLUMNS

matplotlib.use("agg")
COUNTS = [[14, 16, 14], [16, 13, 26], [20, 14, 13]]
NAMES = ["cat", "dog", "owl"]


def write(folder, text, name="matrix.csv"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def frame(index, columns):
    return pd.DataFrame(COUNTS, index=index, columns=columns)


@pytest.fixture
def layout(tmp_path):
    rng = np.random.default_rng(0)
    for loss in ("normal_loss", "weighted_loss"):
        for fold in (1, 2):
            for epoch in (1, 2, 10):
                counts = rng.integers(0, 9, (3, 3)) + epoch * np.eye(3, dtype=int)
                folder = tmp_path / f"cms/{loss}/fold_{fold}/test1"
                folder.mkdir(parents=True, exist_ok=True)
                pd.DataFrame(counts).to_csv(folder / f"cm_epoch_{epoch}.csv", index=False)
    write(tmp_path, "notes", "cms/notes.txt")
    return tmp_path / "cms"


@pytest.fixture
def triangle(tmp_path, monkeypatch):
    """Run `triangle --matrices ...` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["autrainer-ext", "triangle", "--matrices", *arguments])
        CLI(AutrainerCLI()).main()

    return run


def test_matrices_are_written_and_printed(triangle, tmp_path, capsys):
    write(tmp_path, frame(NAMES, NAMES).to_csv(), "ours.csv")
    write(tmp_path, "68,2,4\n29,3,2\n20,2,3\n", "theirs.csv")
    write(tmp_path, "cat\ndog\nowl\n", "labels.txt")
    triangle("ours.csv", "theirs.csv", "--class-names", "labels.txt")
    printed = capsys.readouterr().out
    assert "ours.csv: header, index column" in printed
    assert "theirs.csv: no header, no index column" in printed
    assert "true (0.00408631, 0.01783582, 0.97807787)" in printed
    assert "pred (0.59042184, 0.01208089, 0.39749728)" in printed
    folder = tmp_path / "entropy_triangle"
    table = pd.read_csv(folder / "coordinates.csv")
    of_runs = ("model", "dataset", "is_best")  # unknown for matrices in files
    assert table.columns.tolist() == [name for name in COLUMNS if name not in of_runs]
    assert table["run"].unique().tolist() == ["ours", "theirs"]
    found = table.loc[4, ["divergence", "mutual_information", "variation"]].astype(float)
    np.testing.assert_allclose(found, (0.59042184, 0.01208089, 0.39749728), atol=1e-8)
    assert {path.name for path in folder.glob("*.png")} == {"criteria.png"}
    assert {path.stem for path in folder.glob("runs/*.svg")} == {"ours", "theirs"}
    before = (folder / "coordinates.csv").read_bytes()
    with pytest.raises(CommandLineError, match="is not empty: choose another, or add --overwrite"):
        triangle("ours.csv")
    assert (folder / "coordinates.csv").read_bytes() == before
    write(folder, "mine", "notes.txt")
    with pytest.raises(
        CommandLineError, match="contains 'notes.txt', which is not an earlier result"
    ):
        triangle("ours.csv", "--overwrite")
    (folder / "notes.txt").unlink()
    triangle("ours.csv", "--overwrite", "--intervals", "none", "-q")
    assert {path.stem for path in folder.glob("runs/*.svg")} == {"ours"}


def test_trajectories_are_thinned_and_folds_averaged(triangle, layout, tmp_path):
    shutil.rmtree(layout / "normal_loss")
    triangle("cms", "--start", "2", "--every", "4", "--output", "out", "--n-draws", "100")
    table = pd.read_csv(tmp_path / "out/coordinates.csv")
    assert sorted(table["iteration"].unique()) == [10]
    summary = pd.read_csv(tmp_path / "out/summary.csv")
    assert summary["n_runs"].tolist() == [2, 2, 2]
    expected = table.groupby("view")["x"].mean()
    np.testing.assert_allclose(summary.set_index("view")["x"], expected[summary["view"]], atol=1e-7)
    assert (tmp_path / "out/criteria_test1.png").is_file()


def test_epoch_zero_is_the_start_and_equal_names_are_told_apart(triangle, tmp_path):
    for folder in ("a", "b"):
        for epoch in (0, 1):
            path = f"{folder}/cms/loss/fold_1/test/cm_epoch_{epoch}.csv"
            write(tmp_path, "50,10\n20,40\n", path)
    triangle("a/cms", "b/cms", "--intervals", "shown", "--n-draws", "100", "-q")
    table = pd.read_csv(tmp_path / "entropy_triangle/coordinates.csv")
    assert table["run"].unique().tolist() == ["loss/fold_1", "b/cms/loss/fold_1"]
    assert table["iteration"].unique().tolist() == [0, 1]
    assert (table["ema_low"].notna() == (table["iteration"] == 1)).all()
    assert len(list((tmp_path / "entropy_triangle/runs").glob("*.png"))) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nowhere.csv", "'nowhere.csv' does not exist"),
        ("good.txt", "'good.txt' must be a .csv or .npy file or a folder"),
        ("good.csv bad.csv", "'bad.csv': row 2, column 1 is -2, which is negative"),
        ("good.csv --class-names nowhere.txt", "'nowhere.txt' does not exist"),
        ("good.csv --labels good.txt", "'good.csv' has 2 classes, but there are 1 class names"),
        ("good.csv --every 0", "Option --every must be at least 1, got 0"),
        ("good.csv --start -1", "Option --start must be at least 0, got -1"),
        ("good.csv --n-draws 1", "Argument 'n_draws' must be at least 100, got 1"),
        ("good.csv --output good.txt", "'good.txt' is not a folder"),
        ("good.csv --intervals first", "invalid choice: 'first'"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(triangle, tmp_path, arguments, message):
    write(tmp_path, "5,1\n2,7\n", "good.csv")
    write(tmp_path, "5,1\n-2,7\n", "bad.csv")
    write(tmp_path, "cat\n", "good.txt")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CommandLineError, match=message):
        triangle(*arguments.split())
    assert sorted(tmp_path.rglob("*")) == before


def test_defaults_are_those_of_the_plugin_and_old_options_stay(root):
    defaults = yaml.safe_load((root / "conf/plugin/EntropyTriangle.yaml").read_text())
    parser = CLI(AutrainerCLI()).parser
    args = vars(parser.parse_args(["triangle", "--matrices", "a"]))
    for name in ("start", "every", "n_draws"):
        assert args[name] == defaults[name]
    old = parser.parse_args(["triangle", "--matrices", "a", "--labels", "b", "--from", "3"])
    new = parser.parse_args(["triangle", "--matrices", "a", "--class-names", "b", "--start", "3"])
    assert old == new
    assert (new.class_names, new.start) == ("b", 3)


def test_matrices_need_no_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "68,2,4\n29,3,2\n20,2,3\n", "ours.csv")
    write(tmp_path, "8,2,4\n2,3,2\n2,2,3\n", "theirs.csv")
    arguments = ["ours.csv", "--matrices", "theirs.csv", "-q"]
    monkeypatch.setattr("sys.argv", ["autrainer-ext", "triangle", *arguments])
    CLI(AutrainerCLI()).main()
    table = pd.read_csv("entropy_triangle/coordinates.csv")
    assert table["run"].unique().tolist() == ["ours", "theirs"]
    assert not {"model", "dataset", "is_best"} & set(table)
    monkeypatch.setattr("sys.argv", ["autrainer-ext", "triangle"])
    with pytest.raises(CommandLineError, match="Give at least one confusion matrix"):
        CLI(AutrainerCLI()).main()
