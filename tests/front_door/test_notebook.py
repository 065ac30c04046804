"""The notebook runs and shows what its text says."""

import re

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from autrainer_ext.models import CPMobile
from tests.models.test_cp_mobile_published import published_name

pytestmark = pytest.mark.slow


@pytest.fixture
def outputs(root, tmp_path, monkeypatch):
    """Everything the notebook shows, by kind."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.manual_seed(0)
    weights = CPMobile(4, base_channels=16, channels_multiplier=1.8, expansion_rate=2.1)
    state = {published_name(name): w.numpy() for name, w in weights.state_dict().items()}
    np.savez(tmp_path / "state.npz", **state)
    notebook = nbformat.read(root / "docs/notebooks/front_door.ipynb", as_version=4)
    folder = {"metadata": {"path": str(tmp_path)}}
    # on a busy machine a kernel takes more than the usual minute to start
    client = NotebookClient(notebook, timeout=300, startup_timeout=300, resources=folder)
    client.execute()
    shown = {"text/plain": "", "text/html": "", "image/png": ""}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {"text/plain": output.get("text", "")})
            for kind in shown:
                shown[kind] += data.get(kind, "") + "\n"
    return shown


def test_notebook_runs_and_shows_all_of_it(outputs):
    text = outputs["text/plain"]
    assert float(re.search(r"accuracy (\d\.\d+)", text)[1]) > 0.7
    before, after = map(float, re.search(r"before (\d\.\d+), after (\d\.\d+)", text).groups())
    assert after > before + 0.1
    assert "has 8000 Hz, but the front end needs 16000 Hz" in text
    assert len(re.findall(r"<audio controls", outputs["text/html"])) == 3
    assert len(outputs["image/png"].split()) == 2
    assert "cumulative_accuracy" in outputs["text/html"]
    assert "parameters, 4 classes" in text
