import argparse
from pathlib import Path

import pytest
from autrainer.core.scripts import CommandLineError

from autrainer_ext_plugins.commands import arguments


def test_shared_options_have_one_form():
    parser = argparse.ArgumentParser()
    names = ("checkpoint", "extension", "recursive", "seed", "overwrite", "quiet")
    arguments.add_options(parser, *names, "batch_size", "device")
    assert vars(parser.parse_args([])) == {
        "checkpoint": "_best", "extension": "wav", "recursive": False, "seed": 0,
        "overwrite": False, "quiet": False, "batch_size": None, "device": "auto",
    }  # fmt: skip
    options = ["-c", "epoch_1", "-e", "flac", "-r", "--seed", "3", "--overwrite", "-q", "-b", "2"]
    options += ["--device", "cuda:1"]
    args = parser.parse_args(options)
    assert list(vars(args).values()) == ["epoch_1", "flac", True, 3, True, True, 2, "cuda:1"]


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", ""])
def test_only_whole_numbers_from_1_on_are_positive(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number of at least 1"):
        arguments.positive_int(text)


@pytest.mark.parametrize("error", [ValueError("Wrong."), FileExistsError("Wrong.")])
def test_errors_of_a_block_are_errors_of_the_command(error):
    parser = argparse.ArgumentParser()
    with (
        pytest.raises(CommandLineError, match="Wrong.") as found,
        arguments.reporting_errors(parser),
    ):
        raise error
    assert (found.value.code, found.value.parser) == (1, parser)


def test_other_errors_pass():
    with pytest.raises(KeyError), arguments.reporting_errors(argparse.ArgumentParser()):
        raise KeyError


def test_missing_parts_of_a_model_are_named_in_turn(tmp_path):
    model = tmp_path / "model"
    for message in ("Model directory .* does not exist", "Checkpoint .*_best/model.pt' does not"):
        with pytest.raises(ValueError, match=message):
            arguments.check_model(model, "_best")
        (model / "_best").mkdir(parents=True, exist_ok=True)
    (model / "_best/model.pt").touch()
    with pytest.raises(ValueError, match="has no model.yaml"):
        arguments.check_model(model, "_best")
    (model / "model.yaml").touch()
    arguments.check_model(model, "_best")


def test_inputs_without_audio_are_named(tmp_path):
    with pytest.raises(ValueError, match="Input .*nowhere' does not exist"):
        arguments.check_inputs([tmp_path, tmp_path / "nowhere"])
    (tmp_path / "a.wav").touch()
    arguments.check_inputs([tmp_path, tmp_path / "a.wav"])
    assert arguments.find_audio_files([tmp_path], "wav", False) == (tmp_path, ["a.wav"])
    with pytest.raises(ValueError, match="No 'flac' files found in "):
        arguments.find_audio_files([tmp_path], "flac", True)


def test_files_and_folders_are_named_by_their_path_in_the_folder_of_all(tmp_path, monkeypatch):
    for name in ("one/a.wav", "one/deep/b.wav", "two/c.wav", "two/d.flac", "two/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "two")
    find = arguments.find_audio_files
    assert find(["c.wav"], "wav", False) == (tmp_path / "two", ["c.wav"])
    assert find(["d.flac", "c.wav", "./c.wav"], "wav", False)[1] == ["c.wav", "d.flac"]
    assert find(["../one", "."], "wav", False) == (tmp_path, ["one/a.wav", "two/c.wav"])
    root, files = find(["../one", "c.wav", tmp_path / "two"], "wav", True)
    assert (root, files) == (tmp_path, ["one/a.wav", "one/deep/b.wav", "two/c.wav"])


def test_preprocessing_is_a_name_a_path_or_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").touch()
    assert arguments.find_preprocessing("default") == "default"
    assert arguments.find_preprocessing("None") is None
    assert arguments.find_preprocessing("own") == "own.yaml"
    assert arguments.find_preprocessing("cp_mobile_32k").endswith("cp_mobile_32k.yaml")
    with pytest.raises(ValueError, match="Unknown preprocessing configuration 'other'"):
        arguments.find_preprocessing("other")


def test_only_earlier_results_are_replaced_and_only_on_request(tmp_path):
    def found(overwrite):
        return arguments.earlier_results(tmp_path, overwrite, lambda p: str(p) == "old.csv")

    assert found(False) == []
    arguments.check_free(tmp_path)
    (tmp_path / "old.csv").touch()
    with pytest.raises(ValueError, match="exists and is not an empty folder: choose another"):
        arguments.check_free(tmp_path)
    with pytest.raises(ValueError, match="is not empty: choose another, or add --overwrite"):
        found(False)
    assert found(True) == [tmp_path / "old.csv"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/mine").touch()
    with pytest.raises(ValueError, match="contains 'sub/mine', which is not an earlier result"):
        found(True)
    with pytest.raises(ValueError, match="Output .*old.csv' is not a folder"):
        arguments.earlier_results(tmp_path / "old.csv", True, lambda _: True)


def test_class_names_are_the_lines_of_a_file(tmp_path):
    path = tmp_path / "names.txt"
    with pytest.raises(ValueError, match="File of class names .* does not exist"):
        arguments.read_class_list(path)
    path.write_text("\n \n")
    with pytest.raises(ValueError, match="File of class names .* is empty"):
        arguments.read_class_list(path)
    path.write_text("street traffic\n\n tram \n")
    assert arguments.read_class_list(path) == ["street traffic", "tram"]
