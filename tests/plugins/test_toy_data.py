"""Every plugin on the toy data of the host: tables, or one sentence why there are none."""

import shutil

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

PLUGINS = ["EntropyTriangle", "Difficulty", "Fidelity", "Adaptation", "LatentSpace", "Devices"]
EXPERIMENT = """
defaults:
  - _autrainer_
  - _self_
results_dir: results
experiment_id: {kind}
iterations: 1
device: cpu
progress_bar: false
callbacks:
  - autrainer_ext.callbacks.CleanOutputs
hydra:
  sweeper:
    params:
      +seed: 1
      +batch_size: 16
      +learning_rate: 0.01
      dataset: {datasets}
      model: {model}
      optimizer: Adam
"""
# smaller than those of the host
DATASET = """
defaults:
  - ToyBASE
  - _self_
id: NAME
size: 60
num_targets: 3
feature_shape: SHAPE
"""
MODEL = """
defaults:
  - CPMobile-5k
  - _self_
id: ToyNet
in_channels: {channels}
transform:
  type: {kind}
"""
ONLINE = """  base:
    - autrainer_ext.transforms.LogMelSpectrogram:
        sample_rate: 16000
        n_fft: 512
        win_length: 512
        hop_length: 320
        n_mels: 16
"""
FIDELITY = """
id: Fidelity
_target_: autrainer_ext_plugins.fidelity.Fidelity
explainers: [saliency]
masks: [bin]
max_samples: 2
panels: 0
"""
SHAPES = {"tabular": "64", "image": "[3, 32, 32]", "audio": "[1, 8000]"}
DONE = {
    ("tabular", "C"): ["EntropyTriangle", "Difficulty", "LatentSpace"],
    ("image", "C"): ["EntropyTriangle", "Difficulty", "Fidelity", "LatentSpace"],
    ("audio", "C"): ["EntropyTriangle", "Difficulty", "Fidelity", "LatentSpace"],
    ("tabular", "MLC"): ["Difficulty", "LatentSpace"],
    ("tabular", "R"): ["Difficulty", "LatentSpace"],
}


@pytest.fixture(scope="module")
def toy(command, tmp_path_factory):
    """Folder of a user with one experiment per kind of data and task."""
    folder = tmp_path_factory.mktemp("toy")
    for group in ("dataset", "model", "plugin"):
        (folder / "conf" / group).mkdir(parents=True)
    (folder / "conf/plugin/Fidelity.yaml").write_text(FIDELITY)
    for kind in SHAPES:
        tasks = [task for other, task in DONE if other == kind]
        for task in tasks:
            name = f"Small{kind.title()}-{task}"
            text = DATASET.replace("BASE", f"{kind.title()}-{task}").replace("NAME", name)
            text = text.replace("SHAPE", SHAPES[kind])
            (folder / f"conf/dataset/{name}.yaml").write_text(text)
        model = MODEL.format(
            channels=3 if kind == "image" else 1, kind="raw" if kind == "audio" else kind
        )
        (folder / f"conf/model/Toy{kind.title()}Net.yaml").write_text(
            model + (ONLINE if kind == "audio" else "")
        )
        text = EXPERIMENT.format(
            kind=kind,
            datasets=",".join(f"Small{kind.title()}-{task}" for task in tasks),
            model="ToyFFNN" if kind == "tabular" else f"Toy{kind.title()}Net",
        )
        (folder / f"conf/{kind}.yaml").write_text(text)
        command("autrainer", "train", "-cn", kind, cwd=folder)
        for task in tasks:
            own = folder / f"results/{kind}-{task}/training"
            for run in (folder / f"results/{kind}/training").glob(f"Small{kind.title()}-{task}_*"):
                shutil.copytree(run, own / run.name)
    return folder


@pytest.mark.parametrize(("kind", "task"), DONE)
def test_every_plugin_writes_tables_or_says_in_a_sentence_why_not(toy, command, kind, task):
    result = command(
        "autrainer-ext", "postprocess", "results", f"{kind}-{task}", "--no-summary",
        "-p", *PLUGINS, cwd=toy, check=False,
    )  # fmt: skip
    assert result.returncode == 3
    assert "Error:" not in result.stderr
    done = [line.split(":")[0] for line in result.stdout.splitlines() if ": results/" in line]
    assert done == DONE[kind, task], result.stderr
    refused = [name for name in PLUGINS if name not in done]
    told = [line.split(":")[0] for line in result.stderr.splitlines()[-len(refused) :]]
    assert told == refused
    results = toy / f"results/{kind}-{task}"
    scores = pd.read_csv(results / "difficulty/scores.csv")
    assert scores["loss"].notna().all()
    assert scores["rank"].between(0, 1).all()
    if task == "C":
        table = pd.read_csv(results / "latent_space/separability.csv")
        assert table.columns[:4].tolist() == ["run", "model", "criterion", "seed"]
        assert set(table["score"]) == {"class_probe", "class_silhouette"}
    else:
        assert not (results / "latent_space/separability.csv").exists()
        maps = list((results / "latent_space").glob("map_*.png"))
        assert len(maps) == 1
    if "Fidelity" in done:
        assert "2 of 12 test samples of each of 1 runs" in result.stderr
        assert pd.read_csv(results / "fidelity/scores.csv")["filename"].nunique() == 2
