import numpy as np
import pytest
import soundfile
import torch
from autrainer.serving import Inference

from autrainer_ext.models import CPMobile
from autrainer_ext.runs.load import load_model
from autrainer_ext.serving.model_directory import write_model_directory


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CPMobile(3, base_channels=8).eval()


@pytest.fixture
def preprocessing(root):
    return root / "conf/preprocessing/cp_mobile_32k.yaml"


def test_host_serves_the_directory(tmp_path, model, preprocessing):
    write_model_directory(tmp_path / "new/model", model, ["a", "b", "c"], preprocessing)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 44100)
    soundfile.write(tmp_path / "x.wav", noise, 44100)
    prediction, output, _ = Inference(str(tmp_path / "new/model")).predict_file(
        str(tmp_path / "x.wav")
    )
    assert prediction == "abc"[output.argmax()]
    assert output.shape == (1, 3)
    features = torch.randn(2, 1, 64, 256)
    assert torch.equal(load_model(tmp_path / "new/model")(features), model(features))


def test_full_folder_is_left_alone(tmp_path, model, preprocessing):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="exists and is not an empty folder"):
        write_model_directory(tmp_path, model, ["a", "b", "c"], preprocessing)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b"], "2 class names for 3 outputs"),
        (["b", "a", "c"], "ascending order"),
        (["a", "a", "c"], "must be different"),
    ],
)
def test_wrong_class_names_are_rejected(tmp_path, model, preprocessing, names, message):
    with pytest.raises(ValueError, match=message):
        write_model_directory(tmp_path / "m", model, names, preprocessing)
    assert not list(tmp_path.iterdir())


def test_nothing_half_written_stays(tmp_path, model, preprocessing, monkeypatch):
    def full_disk(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_model_directory(tmp_path / "m", model, ["a", "b", "c"], preprocessing)
    assert not list(tmp_path.iterdir())


def test_missing_files_are_named(tmp_path, model, preprocessing):
    with pytest.raises(ValueError, match="Unknown preprocessing configuration 'none'"):
        write_model_directory(tmp_path / "m", model, ["a", "b", "c"], tmp_path / "none.yaml")
    with pytest.raises(ValueError, match=r"model.yaml' of the model does not exist"):
        load_model(tmp_path)
    write_model_directory(tmp_path / "m", model, ["a", "b", "c"], preprocessing)
    with pytest.raises(ValueError, match=r"epoch_9/model.pt' of the model does not exist"):
        load_model(tmp_path / "m", "epoch_9")
    torch.save(CPMobile(4).state_dict(), tmp_path / "m/_best/model.pt")
    with pytest.raises(ValueError, match="do not fit the network"):
        load_model(tmp_path / "m")
