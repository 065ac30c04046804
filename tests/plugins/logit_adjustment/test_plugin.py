import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from autrainer_ext.runs import find_runs
from autrainer_ext.runs.load import load_model
from autrainer_ext_plugins.plugin import load_plugin

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def skewed(tiny, tmp_path_factory):
    """Runs whose training split is said to hold more recordings of one class."""
    folder = tmp_path_factory.mktemp("skewed")
    shutil.copytree(tiny / "results/clean", folder / "results/clean")
    runs = find_runs(folder / "results", "clean")
    for run in runs:
        path = run.path / "_metadata/train.csv"
        table = pd.read_csv(path)
        table.loc[table.index % 6 < 3, "scene"] = "bus"
        table.to_csv(path, index=False)
    output = folder / "results/clean/logit_adjustment"
    output.mkdir()
    load_plugin("LogitAdjustment", {"taus": [0.5, 1]}).run(runs, output)
    return runs, output


def test_tau_is_chosen_on_dev_and_reported_on_test(skewed):
    runs, output = skewed
    path, chosen = (pd.read_csv(output / f"{name}.csv") for name in ("path", "chosen"))
    assert len(path) == len(runs) * 2 * 3
    for run in runs:
        dev = path[(path["run"] == run.name) & (path["split"] == "dev")]
        tau = chosen.set_index("run").loc[run.name, "tau"]
        assert (
            dev.loc[dev["tau"] == tau, "balanced_accuracy"].item() == dev["balanced_accuracy"].max()
        )
        assert (output / f"runs/{run.name}.png").is_file()
    assert pd.read_csv(output / "classes.csv")["class"].tolist()[:3] == ["bus", "park", "tram"]


def test_the_served_model_has_the_shifted_logits(skewed):
    runs, output = skewed
    tau = pd.read_csv(output / "chosen.csv").set_index("run")["tau"]
    for run in runs:
        features = torch.randn(4, 1, 24, 16)
        with torch.no_grad():
            shift = load_model(run.path)(features) - load_model(output / "models" / run.name)(
                features
            )
        priors = np.log(np.array([24, 6, 6]) / 36)
        np.testing.assert_allclose(
            shift.numpy(), np.tile(tau[run.name] * priors, (4, 1)), atol=1e-5
        )
        assert (output / f"models/{run.name}/target_transform.yaml").is_file()


def test_wrong_settings_and_classes_without_recordings_are_named(skewed, tmp_path):
    runs, _ = skewed
    with pytest.raises(ValueError, match="'taus' must hold numbers from 0 on, got \\[-1\\]"):
        load_plugin("LogitAdjustment", {"taus": [-1]})
    with pytest.raises(ValueError, match="Unknown score 'loss'"):
        load_plugin("LogitAdjustment", {"choose_by": "loss"})
    path = runs[0].path / "_metadata/train.csv"
    path.write_text(path.read_text().replace("tram", "bus"))
    with pytest.raises(ValueError, match="class 'tram' has no training recording"):
        load_plugin("LogitAdjustment").run(runs[:1], tmp_path)
