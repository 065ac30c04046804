"""Readers on damaged files: a result or one line that names the file, whatever the bytes.

`AUTRAINER_EXT_CASES=20000 pytest tests/faults` tries more.
"""

import io
import random
import struct
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
import torch

from autrainer_ext.datasets.archives import unpack
from autrainer_ext.datasets.folders import check_inside, is_built
from autrainer_ext.datasets.split_zip import open_split_zip
from autrainer_ext.runs import best_iteration, find_runs, read_metadata, read_outputs, read_run
from autrainer_ext.serving.features import FeatureReader
from autrainer_ext.serving.published import load_cp_mobile
from autrainer_ext.trust import load_description

TEXTS = [b"", b"\xff\xfe", b"[", b"a: {b", b"- 1", b"3", b"null", b"!!python/name:os.system", b"\0"]


def damage(content, chance):
    """Change, remove, repeat or insert bytes."""
    content = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        at = chance.randrange(len(content) + 1)
        kind = chance.randrange(6)
        if kind == 0 and at < len(content):
            content[at] = chance.randrange(256)
        elif kind == 1:
            del content[at:]
        elif kind == 2:
            del content[at : at + chance.randrange(1, 40)]
        elif kind == 3:
            content[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
        elif kind == 4:
            content[at : at + 4] = struct.pack("<I", chance.choice([0, 1, 2**31 - 1, 2**32 - 1]))
        else:
            content = bytearray(chance.choice(TEXTS))
    return bytes(content)


@contextmanager
def errors_about(path, *kinds):
    """Accept errors of these kinds whose one line contains a path."""
    try:
        yield
    except kinds as error:
        if "\n" in str(error) or str(path) not in str(error):
            pytest.fail(f"'{error}' is no line about '{path}'")


@pytest.fixture
def run_directory(tmp_path):
    path = tmp_path / "results/exp/training/Toy_Net_1"
    (path / ".hydra").mkdir(parents=True)
    (path / ".hydra/config.yaml").write_text(
        "seed: 1\niterations: 2\ndataset: {id: Toy, index_column: f, target_column: c}\n"
    )
    (path / "target_transform.yaml").write_text("$a.LabelEncoder==0.4.0:\n  labels: [bus, park]\n")
    (path / "_best").mkdir()
    (path / "_best/best_results.yaml").write_text("best_iteration: 1\n")
    (path / "_metadata").mkdir()
    (path / "_metadata/test.csv").write_text("f,c\na.wav,bus\nb.wav,park\n")
    (path / "_test").mkdir()
    np.save(path / "_test/test_outputs.npy", np.eye(2, dtype=np.float32))
    np.save(path / "_test/test_targets.npy", np.array([0, 1]))
    np.save(path / "_test/test_indices.npy", np.array([1, 0]))
    return path


def use(directory):
    (run,) = find_runs(directory.parents[2], "exp")
    read_outputs(run, "test")
    best_iteration(run)
    read_metadata(run, "test")
    for name in ("seed", "iterations"):
        run.config[name]
    run.config["dataset"]["id"]


@pytest.mark.parametrize(
    "name",
    [
        ".hydra/config.yaml",
        "target_transform.yaml",
        "_best/best_results.yaml",
        "_metadata/test.csv",
        "_test/test_outputs.npy",
        "_test/test_targets.npy",
        "_test/test_indices.npy",
    ],
)
def test_damaged_runs_are_named(run_directory, n_cases, name):
    path = run_directory / name
    whole, chance = path.read_bytes(), random.Random(name)
    for _ in range(n_cases):
        path.write_bytes(damage(whole, chance))
        with errors_about(run_directory, ValueError):
            use(run_directory)
    path.write_bytes(whole)
    use(run_directory)


def test_an_npz_under_the_name_of_an_npy_is_named(run_directory):
    with open(run_directory / "_test/test_outputs.npy", "wb") as file:
        np.savez(file, np.eye(2))
    with pytest.raises(ValueError, match=r"test_outputs\.npy' does not hold an array of numbers"):
        use(run_directory)


def test_a_missing_setting_is_named(run_directory):
    run = read_run(run_directory)
    with pytest.raises(ValueError, match=r"config\.yaml' has no setting 'dataset\.stratify'"):
        run.config["dataset"]["stratify"]
    assert run.config.get("nothing") is None


def test_damaged_descriptions_are_named(tmp_path, root, n_cases):
    path, chance = tmp_path / "preprocess_pipeline.yaml", random.Random(0)
    whole = (root / "model/preprocess_pipeline.yaml").read_bytes()
    for _ in range(n_cases):
        path.write_bytes(damage(whole, chance))
        with errors_about(path, ValueError):
            load_description(path)


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_damaged_archives_are_an_error_of_the_system(tmp_path, n_cases):
    chance = random.Random(0)
    whole = zipped({f"audio/{index}.wav": chance.randbytes(300) for index in range(3)})
    for number in range(n_cases):
        (tmp_path / "data.zip").write_bytes(damage(whole, chance))
        target = tmp_path / f"{number}"
        try:
            with open_split_zip(tmp_path / "data.zip") as archive:
                unpack(archive, r"(?P<path>.*\.wav)", target)
        except (OSError, ValueError, zipfile.BadZipFile):
            assert not target.exists()
    assert not list(tmp_path.glob(".part-*"))


def test_members_that_lead_out_are_refused(tmp_path):
    (tmp_path / "data.zip").write_bytes(zipped({"../../x.wav": b"x"}))
    with (
        open_split_zip(tmp_path / "data.zip") as archive,
        pytest.raises(ValueError, match="leads out"),
    ):
        unpack(archive, r"(?P<path>.*\.wav)", tmp_path / "in/side")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["data.zip", "in"]


def test_archives_that_unpack_to_far_too_much_are_refused(tmp_path):
    (tmp_path / "data.zip").write_bytes(zipped({"x.wav": bytes(2**26)}))
    with (
        open_split_zip(tmp_path / "data.zip") as archive,
        pytest.raises(OSError, match="would unpack"),
    ):
        unpack(archive, r"(?P<path>.*\.wav)", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "C:\\x", "a\\..\\..\\x", "", "\0", 3, float("nan")]
)
def test_names_that_lead_out_of_a_data_set_are_refused(name):
    with pytest.raises(ValueError, match="leads out of the data set"):
        check_inside(name)


def test_damaged_tables_of_data_sets_are_named(tmp_path, n_cases):
    chance = random.Random(0)
    (tmp_path / "set/default").mkdir(parents=True)
    path = tmp_path / "set/table.csv"
    for _ in range(n_cases):
        path.write_bytes(damage(b"filename,label\na.wav,x\nb.wav,y\n", chance))
        with errors_about("", FileExistsError, ValueError):
            is_built(tmp_path / "set", ["table.csv"])


def test_damaged_recordings_are_a_reason(tmp_path, root, n_cases):
    chance = random.Random(0)
    soundfile.write(tmp_path / "whole.wav", np.zeros(4000) + 0.1, 16_000)
    soundfile.write(tmp_path / "whole.flac", np.zeros(4000) + 0.1, 16_000)
    wholes = [(tmp_path / f"whole.{kind}").read_bytes() for kind in ("wav", "flac")]
    folder = tmp_path / "damaged"
    folder.mkdir()
    names = [f"{number}.wav" for number in range(n_cases)]
    for name in names:
        (folder / name).write_bytes(damage(chance.choice(wholes), chance))
    reader = FeatureReader(model_path=str(root / "model"))
    read = reader.read(folder, names)
    assert len(read.files) + len(read.errors) == n_cases
    assert torch.isfinite(read.features).all()


def test_damaged_weights_are_named(tmp_path, n_cases):
    chance = random.Random(0)
    np.savez(tmp_path / "whole.npz", a=np.zeros(3), b=np.ones((2, 2)))
    torch.save({"a": torch.zeros(3)}, tmp_path / "whole.pt")
    for number in range(n_cases):
        suffix = (".npz", ".pt")[number % 2]
        path = tmp_path / f"state{suffix}"
        path.write_bytes(damage((tmp_path / f"whole{suffix}").read_bytes(), chance))
        with errors_about(path, ValueError):
            load_cp_mobile(path)
            pytest.fail("damaged weights are those of a network")
