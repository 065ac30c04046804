import shutil

import matplotlib
import numpy as np
import pandas as pd
import pytest
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

from autrainer_ext_plugins.cli import CLI
from autrainer_ext_plugins.entropy_triangle.matrices import read_matrices, read_table
from autrainer_ext_plugins.entropy_triangle.tables import COLUMNS

matplotlib.use("agg")
COUNTS = [[14, 16, 14], [16, 13, 26], [20, 14, 13]]
PLAIN = "14,16,14\n16,13,26\n20,14,13\n"
NAMES = ["cat", "dog", "owl"]


def write(folder, text, name="matrix.csv"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def frame(index, columns):
    return pd.DataFrame(COUNTS, index=index, columns=columns)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (PLAIN, "no header, no index column"),
        (PLAIN.replace(",", ";"), "no header, no index column"),
        (PLAIN.replace(",", "\t").replace("\n", "\r\n") + "\n\n", "no header, no index column"),
        ("\ufeff" + PLAIN.replace("16,", "16.0,"), "no header, no index column"),
        (frame(NAMES, NAMES).to_csv(), "header, index column"),
        (frame(NAMES, NAMES).to_csv(index_label="true"), "header, index column"),
        (frame(NAMES, NAMES).to_csv(index=False), "header, no index column"),
        (frame(NAMES, NAMES).to_csv(header=False), "no header, index column"),
        (frame(None, None).to_csv(), "header, index column"),
        (frame(None, None).to_csv(index=False), "header, no index column"),
        (frame(None, None).to_csv(header=False), "no header, index column"),
        (frame(NAMES, None).to_csv(), "header, index column"),
        (frame([1, 2, 3], NAMES).to_csv(), "header, index column"),
        (frame(NAMES, NAMES).to_csv().lstrip(","), "header, index column"),
    ],
)
def test_names_are_detected_and_said(tmp_path, text, form):
    counts, found = read_table(write(tmp_path, text))
    assert counts.tolist() == COUNTS
    assert found == form


@pytest.mark.parametrize("counts", [[[0, 1], [2, 3]], [[1, 2], [3, 4]], [[1, 0], [0, 1]], [[7]]])
def test_small_counts_are_not_taken_for_names(tmp_path, counts):
    text = "\n".join(",".join(map(str, row)) for row in counts)
    assert read_table(write(tmp_path, text))[0].tolist() == counts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("count\n5\n", "is not square: it has 2 rows and 1 columns"),
        ("1,2,3\n4,5\n7,8,9\n", "row 2 has 2 cells, the last row 3"),
        ("\n \n", "is empty"),
        ("1,2,3\n4,5,6\n", "is not square: it has 2 rows and 3 columns"),
        ("a,b\n1,2\n", "row 1, column 1 is 'a', which is no number"),
        ("1,2\n3\n", "row 1 has 2 cells, the last row 1"),
        ("5,1\n-2,7\n", "row 2, column 1 is -2, which is negative"),
        ("5,1\n0.5,7\n", r"row 2, column 1 is 0.5, .* no whole number \(counts are needed"),
        ("5,nan\n1,7\n", "row 1, column 2 is nan, which is not finite"),
        ("5,1\n1,inf\n", "row 2, column 2 is inf, which is not finite"),
        ("5,\n1,7\n", "row 1, column 2 is empty"),
        (",5\n1,7\n", "row 1, column 1 is empty"),
        ("5,x\n1,7\n", "row 1, column 2 is 'x', which is no number"),
        ("0,0\n0,0\n", "holds no samples: all counts are zero"),
        (",cat,dog\ncat,1,2\ndog,-3,4\n", r"row 2, column 1 \('dog' predicted as 'cat'\) is -3"),
        (",cat,dog\ndog,1,2\ncat,3,4\n", "column 1 is 'cat', but row 1 is 'dog'"),
    ],
)
def test_unusable_tables_name_file_and_cell(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as error:
        read_table(path)
    assert f"'{path}" in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "matrix.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot be read as text"):
        read_table(path)


def test_arrays_are_read_with_their_leading_dimensions(tmp_path):
    array = np.arange(2 * 3 * 4).reshape(2, 3, 2, 2)
    np.save(tmp_path / "stack.npy", array)
    confusions, form = read_matrices(tmp_path / "stack.npy")
    assert form == "array of shape (2, 3, 2, 2)"
    assert [c.iteration for c in confusions] == [1, 2, 3, 1, 2, 3]
    name = str(tmp_path / "stack")
    assert [c.run for c in confusions] == [f"{name}_0"] * 3 + [f"{name}_1"] * 3
    np.testing.assert_array_equal([c.counts for c in confusions], array.reshape(6, 2, 2))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 3)), r"not square: its shape is \(2, 3\)"),
        (np.ones(4), r"not square: its shape is \(4,\)"),
        (np.ones((0, 2, 2)), "is empty"),
        (np.array([["a"]]), "holds no numbers"),
        (np.array([[[1, 2], [3, 4]], [[1, 2], [np.nan, 4]]]), r"npy\[1\]': row 2, column 1 is nan"),
    ],
)
def test_unusable_arrays_are_named(tmp_path, array, message):
    np.save(tmp_path / "matrix.npy", array)
    with pytest.raises(ValueError, match=message):
        read_matrices(tmp_path / "matrix.npy")


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "matrix.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="not a whole array file"):
        read_matrices(tmp_path / "matrix.npy")


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


def test_folders_of_losses_and_folds_are_read(layout):
    confusions, form = read_matrices(layout)
    assert form == "12 tables, 12 with header, no index column"
    first = confusions[0]
    assert (first.run, first.criterion, first.seed, first.split, first.iteration) == (
        "normal_loss/fold_1", "normal_loss", "1", "test1", 1,
    )  # fmt: skip
    assert [c.iteration for c in confusions[:3]] == [1, 2, 10]
    one, _ = read_matrices(layout / "weighted_loss")
    assert {c.run for c in one} == {"weighted_loss/fold_1", "weighted_loss/fold_2"}


def test_a_bad_table_in_a_folder_is_named(layout):
    write(layout, "1,2\n3,-4\n", "normal_loss/fold_2/test1/cm_epoch_2.csv")
    with pytest.raises(ValueError, match=r"fold_2/test1/cm_epoch_2.csv': row 2, column 2 is -4"):
        read_matrices(layout)
    with pytest.raises(ValueError, match="holds no LOSS/fold_K/SPLIT/cm_epoch_E.csv"):
        read_matrices(layout / "normal_loss/fold_1/test1")


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
    triangle("ours.csv", "theirs.csv", "--labels", "labels.txt")
    printed = capsys.readouterr().out
    assert "ours.csv: header, index column" in printed
    assert "theirs.csv: no header, no index column" in printed
    assert "true (0.00408631, 0.01783582, 0.97807787)" in printed
    assert "pred (0.59042184, 0.01208089, 0.39749728)" in printed
    folder = tmp_path / "entropy_triangle"
    table = pd.read_csv(folder / "coordinates.csv")
    assert table.columns.tolist() == COLUMNS
    assert table["run"].unique().tolist() == ["ours", "theirs"]
    found = table.loc[4, ["divergence", "mutual_information", "variation"]].astype(float)
    np.testing.assert_allclose(found, (0.59042184, 0.01208089, 0.39749728), atol=1e-8)
    assert {path.name for path in folder.glob("*.png")} == {"criteria.png"}
    assert {path.stem for path in folder.glob("runs/*.svg")} == {"ours", "theirs"}
    before = (folder / "coordinates.csv").read_bytes()
    with pytest.raises(CommandLineError, match="is not empty: choose another with --output"):
        triangle("ours.csv")
    assert (folder / "coordinates.csv").read_bytes() == before
    write(folder, "mine", "notes.txt")
    with pytest.raises(CommandLineError, match="holds 'notes.txt', no earlier result"):
        triangle("ours.csv", "--overwrite")
    (folder / "notes.txt").unlink()
    triangle("ours.csv", "--overwrite", "--n-resamples", "0", "-q")
    assert {path.stem for path in folder.glob("runs/*.svg")} == {"ours"}


def test_trajectories_are_thinned_and_folds_averaged(triangle, layout, tmp_path):
    shutil.rmtree(layout / "normal_loss")
    triangle("cms", "--from", "2", "--every", "4", "--output", "out", "--n-resamples", "20")
    table = pd.read_csv(tmp_path / "out/coordinates.csv")
    assert sorted(table["iteration"].unique()) == [10]
    summary = pd.read_csv(tmp_path / "out/summary.csv")
    assert summary["n_runs"].tolist() == [2, 2, 2]
    expected = table.groupby("view")["x"].mean()
    np.testing.assert_allclose(summary.set_index("view")["x"], expected[summary["view"]], atol=1e-7)
    assert (tmp_path / "out/criteria_test1.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nowhere.csv", "'nowhere.csv' does not exist"),
        ("good.txt", "'good.txt' is neither .csv nor .npy nor a folder"),
        ("good.csv bad.csv", "'bad.csv': row 2, column 1 is -2, which is negative"),
        ("good.csv ./good.csv", "'good' is given twice"),
        ("good.csv --labels nowhere.txt", "'nowhere.txt' does not exist"),
        ("good.csv --labels good.txt", "'good.csv' has 2 classes, but there are 1 labels"),
        ("good.csv --every 0", "--from and --every start at 1"),
        ("good.csv --n-resamples 1", "n_resamples must be at least 2, got 1"),
        ("good.csv --output good.txt", "'good.txt' is not a folder"),
        ("good.csv --method normal", "invalid choice: 'normal'"),
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
