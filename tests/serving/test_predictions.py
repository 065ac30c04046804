import json

import pandas as pd
import pytest
import torch

from autrainer_ext.serving import predictions as module
from autrainer_ext.serving.predictions import Predictions, PredictionsInProgress

RESULTS = pd.DataFrame(
    {"filename": ["a.wav", "sub/b.wav"], "prediction": ["x", "y"], "output": [[1.0, 0.1]] * 2}
)
EMBEDDINGS = pd.DataFrame(
    {"filename": ["a.wav", "sub/b.wav"], "embedding": [torch.ones(2), torch.zeros(2)]}
)
ERRORS = pd.DataFrame([("c.wav", "empty")], columns=["filename", "reason"])
FILES = ["a.wav", "c.wav", "sub/b.wav"]


@pytest.fixture
def audio(tmp_path):
    (tmp_path / "audio/sub").mkdir(parents=True)
    for file in FILES:
        (tmp_path / "audio" / file).write_bytes(b"sound")
    return tmp_path / "audio"


def contents(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def begin(audio, settings=1):
    return PredictionsInProgress(audio.parent / "out", audio, ".wav", {"settings": settings})


def abandon(out):
    """Name the hidden folder as that of a process that has ended."""
    (folder,) = out.glob(".inference-*")
    parts = folder.name.split("-")
    folder.rename(out / "-".join([*parts[:3], "1", parts[4]]))


def test_empty_tables_are_not_written_and_earlier_files_are_replaced(audio):
    out = audio.parent / "out"
    predictions = begin(audio)
    predictions.add(Predictions(RESULTS, EMBEDDINGS, ERRORS))
    predictions.publish(FILES)
    names = ["results.csv", "results.yaml"]
    assert contents(out) == ["a.pt", "errors.csv", *names, "sub/b.pt"]
    assert torch.equal(torch.load(out / "sub/b.pt", weights_only=True), torch.zeros(2))
    predictions = begin(audio)
    predictions.add(Predictions(RESULTS, EMBEDDINGS[:0], ERRORS[:0]))
    predictions.publish(FILES, [out / name for name in contents(out) if "results" not in name])
    assert contents(out) == names


def test_tables_are_those_of_the_host(audio):
    predictions = begin(audio)
    predictions.add(Predictions(RESULTS[1:], EMBEDDINGS[:0], ERRORS[:0]))
    predictions.add(Predictions(RESULTS[:1], EMBEDDINGS[:0], ERRORS))
    predictions.publish(FILES)
    out = audio.parent / "out"
    assert (out / "results.csv").read_text() == RESULTS.to_csv(index=False)
    assert (out / "errors.csv").read_text() == ERRORS.to_csv(index=False)


def test_offsets_are_part_of_the_names_of_embeddings(audio):
    predictions = begin(audio)
    embeddings = EMBEDDINGS.assign(offset=["0.00-1.00", "0.50-1.50"])
    results = RESULTS.assign(offset=embeddings["offset"])
    predictions.add(Predictions(results, embeddings, ERRORS[:0]))
    predictions.publish(FILES)
    expected = ["a-0.00-1.00.pt", "results.csv", "results.yaml", "sub/b-0.50-1.50.pt"]
    assert contents(audio.parent / "out") == expected


def test_a_killed_call_is_continued_with_the_same_files(audio):
    first = begin(audio)
    first.add(Predictions(RESULTS, EMBEDDINGS, ERRORS))
    with open(first._lines, "a") as lines:
        lines.write('["c.wav", [5')  # killed while writing
    abandon(first.output)
    again = begin(audio)
    assert again.waiting(FILES) == ["c.wav"]
    again.add(Predictions(RESULTS[:0], EMBEDDINGS[:0], ERRORS))
    again.publish(FILES)
    assert (again.output / "results.csv").read_text() == RESULTS.to_csv(index=False)
    assert contents(again.output)[0] == "a.pt"


def test_what_changed_is_predicted_again(audio):
    first = begin(audio)
    first.add(Predictions(RESULTS, EMBEDDINGS, ERRORS[:0]))
    (first._tables / "sub/b.pt").unlink()
    (audio / "a.wav").write_bytes(b"another sound")
    abandon(first.output)
    assert begin(audio).waiting(FILES) == FILES


def test_results_of_other_settings_are_not_used(audio):
    begin(audio).add(Predictions(RESULTS, EMBEDDINGS, ERRORS))
    abandon(audio.parent / "out")
    assert begin(audio, settings=2).waiting(FILES) == FILES
    assert len(list((audio.parent / "out").iterdir())) == 1


def test_another_living_process_is_left_alone(audio):
    first = begin(audio)
    with pytest.raises(ValueError, match="Another process writes predictions to"):
        begin(audio)
    assert first._lines.is_file()


def test_earlier_results_stay_until_the_new_ones_are_in_place(audio, monkeypatch):
    out = audio.parent / "out"
    predictions = begin(audio)
    predictions.add(Predictions(RESULTS, EMBEDDINGS, ERRORS))
    predictions.publish(FILES)
    before = contents(out)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "save_tensors", interrupted)
    again = begin(audio)
    with pytest.raises(KeyboardInterrupt):
        again.add(Predictions(RESULTS, EMBEDDINGS, ERRORS))
    assert [name for name in contents(out) if not name.startswith(".")] == before


def test_a_name_that_is_too_long_is_an_error_of_its_file(audio):
    name = "n" * 250 + ".wav"
    results = pd.DataFrame({"filename": [name], "offset": ["0.00-10.00"], "output": [[1.0]]})
    predictions = begin(audio)
    table = results[["filename", "offset"]].assign(embedding=[torch.ones(1)])
    predictions.add(Predictions(results, table, ERRORS[:0]))
    assert list(predictions.errors) == [name]


def test_a_full_disk_is_named(audio, file_size_limit):
    predictions = begin(audio)
    many = pd.DataFrame({"filename": ["a.wav"], "output": [list(range(10_000))]})
    with file_size_limit(1000), pytest.raises(OSError, match="out' cannot be written: File too"):
        predictions.add(Predictions(many, EMBEDDINGS[:0], ERRORS[:0]))


def test_lines_hold_numbers_exactly(audio):
    predictions = begin(audio)
    values = [0.1 + 0.2, 1e-300, float("inf")]
    table = pd.DataFrame({"filename": ["a.wav"], "output": [values]})
    predictions.add(Predictions(table, EMBEDDINGS[:0], ERRORS[:0]))
    (line,) = predictions._lines.read_text().splitlines()
    assert json.loads(line)[3][0]["output"] == values
