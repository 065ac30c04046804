import numpy as np
import pandas as pd
import pytest

from autrainer_ext_plugins.entropy_triangle.matrices import read_matrices


def write(folder, text, name="matrix.csv"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


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
        (np.ones((2, 3)), r"must contain square matrices, got shape \(2, 3\)"),
        (np.ones(4), r"must contain square matrices, got shape \(4,\)"),
        (np.ones((0, 2, 2)), "is empty"),
        (np.array([["a"]]), "must contain numbers, got <U1"),
        (np.array([[[1, 2], [3, 4]], [[1, 2], [np.nan, 4]]]), r"npy\[1\]': row 2, column 1 is nan"),
    ],
)
def test_unusable_arrays_are_named(tmp_path, array, message):
    np.save(tmp_path / "matrix.npy", array)
    with pytest.raises(ValueError, match=message):
        read_matrices(tmp_path / "matrix.npy")


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "matrix.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="truncated or not a valid"):
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
    with pytest.raises(ValueError, match="contains no tables LOSS/fold_K/SPLIT/cm_epoch_E.csv"):
        read_matrices(layout / "normal_loss/fold_1/test1")


def test_models_of_one_layout_have_names_of_their_own(layout):
    for model in ("small", "large"):
        table = layout / f"{model}/normal_loss/fold_1/test1/cm_epoch_0.csv"
        write(table.parent, "5,1\n2,7\n", table.name)
    confusions, _ = read_matrices(layout)
    runs = {c.run for c in confusions if c.iteration == 0}
    assert runs == {"small/normal_loss/fold_1", "large/normal_loss/fold_1"}
    assert "normal_loss/fold_1" in {c.run for c in confusions}
