import pandas as pd
import pytest
import torch

from autrainer_ext.serving.predictions import Predictions, write_predictions

RESULTS = pd.DataFrame(
    {"filename": ["a.wav", "sub/b.wav"], "prediction": ["x", "y"], "output": [[1.0, 0.0]] * 2}
)
EMBEDDINGS = pd.DataFrame(
    {"filename": ["a.wav", "sub/b.wav"], "embedding": [torch.ones(2), torch.zeros(2)]}
)
ERRORS = pd.DataFrame([("c.wav", "empty")], columns=["filename", "reason"])


def contents(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_empty_tables_are_not_written_and_earlier_files_are_replaced(tmp_path):
    folder = tmp_path / "new/out"
    write_predictions(Predictions(RESULTS, EMBEDDINGS, ERRORS), folder, "wav")
    names = ["results.csv", "results.yaml"]
    assert contents(folder) == ["a.pt", "errors.csv", *names, "sub/b.pt"]
    assert torch.equal(torch.load(folder / "sub/b.pt", weights_only=True), torch.zeros(2))
    write_predictions(Predictions(RESULTS, EMBEDDINGS[:0], ERRORS[:0]), folder, "wav")
    assert contents(folder) == names


def test_offsets_are_part_of_the_names_of_embeddings(tmp_path):
    embeddings = EMBEDDINGS.assign(offset=["0.00-1.00", "0.50-1.50"])
    write_predictions(Predictions(RESULTS[:0], embeddings, ERRORS[:0]), tmp_path / "out", ".wav")
    assert contents(tmp_path / "out") == ["a-0.00-1.00.pt", "sub/b-0.50-1.50.pt"]


def test_interrupted_writing_leaves_earlier_results(tmp_path, monkeypatch):
    write_predictions(Predictions(RESULTS, EMBEDDINGS, ERRORS), tmp_path / "out", "wav")
    before = contents(tmp_path / "out")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_predictions(Predictions(RESULTS, EMBEDDINGS, ERRORS), tmp_path / "out", "wav")
    assert contents(tmp_path / "out") == before
