import pandas as pd
import pytest

from autrainer_ext_plugins.entropy_triangle.matrix_table import read_table

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
        ("a,b\n1,2\n", "row 1, column 1 is 'a', which is not a number"),
        ("1,2\n3\n", "row 1 has 2 cells, the last row 1"),
        ("5,1\n-2,7\n", "row 2, column 1 is -2, which is negative"),
        ("5,1\n0.5,7\n", r"row 2, column 1 is 0.5, .* not a whole number \(counts are needed"),
        ("5,nan\n1,7\n", "row 1, column 2 is nan, which is not finite"),
        ("5,1\n1,inf\n", "row 2, column 2 is inf, which is not finite"),
        ("5,\n1,7\n", "row 1, column 2 is empty"),
        (",5\n1,7\n", "row 1, column 1 is empty"),
        ("5,x\n1,7\n", "row 1, column 2 is 'x', which is not a number"),
        ("0,0\n0,0\n", "contains no samples: all counts are zero"),
        (",cat,dog\ncat,1,2\ndog,-3,4\n", r"row 2, column 1 \('dog' predicted as 'cat'\) is -3"),
        (",cat,dog\ndog,1,2\ncat,3,4\n", "column 1 is 'cat', but row 1 is 'dog'"),
        ("cat,cat\n1,2\n3,4\n", "two columns are called 'cat'"),
        ("cat,1,2\ncat,3,4\n", "two rows are called 'cat'"),
        ("9223372036854775808,1\n1,1\n", "row 1, column 1: counts must add up to less than 2"),
        (
            ",a,b,c\na,3,1,4\nb,2,5,7\nc,5,6,11\n",
            "last row and column are the sums .* call both 'All'",
        ),
        ("3,1,4\n2,5,7\n5,6,11\n", "last row and column are the sums of the others"),
    ],
)
def test_unusable_tables_name_file_and_cell(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as error:
        read_table(path)
    assert str(error.value).startswith(f"File '{path}'")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["All", "total", "Sum"])
def test_sums_with_a_name_are_left_out_and_said(tmp_path, name):
    table = frame(NAMES, NAMES)
    table[name] = table.sum(axis=1)
    table.loc[name] = table.sum()
    counts, form = read_table(write(tmp_path, table.to_csv(index_label="true")), NAMES)
    assert counts.tolist() == COUNTS
    assert form == f"header, index column, without '{name}'"


@pytest.mark.parametrize("index", [True, False])
def test_numbers_that_cannot_be_counts_are_names(tmp_path, index):
    table = frame([10, 20, 35], [10, 20, 35])
    assert read_table(write(tmp_path, table.to_csv(index=index)))[0].tolist() == COUNTS


def test_class_names_must_be_those_of_the_file(tmp_path):
    path = write(tmp_path, frame(NAMES, NAMES).to_csv())
    assert read_table(path, NAMES)[0].tolist() == COUNTS
    with pytest.raises(ValueError, match="class 1 is 'cat', but the given class names say 'owl'"):
        read_table(path, NAMES[::-1])
    assert read_table(write(tmp_path, frame(None, None).to_csv()), NAMES)[0].tolist() == COUNTS


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "matrix.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot be read as text"):
        read_table(path)
