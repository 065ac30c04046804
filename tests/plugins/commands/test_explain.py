import re
import shutil
from pathlib import Path

import autrainer
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

from autrainer_ext.models import CPMobile
from autrainer_ext.serving.model_directory import write_model_directory
from autrainer_ext_plugins.cli import CLI
from autrainer_ext_plugins.fidelity import clips
from autrainer_ext_plugins.fidelity.tables import COLUMNS

RATE = 16000
FAST = ["--explainer", "saliency", "kernel_shap", "--mask", "bin", "topK_30", "-q"]
FAST += ["--samples", "200", "--no-panels"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = CPMobile(3, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]])
    with torch.no_grad():
        network.head[0].weight.mul_(20)
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    directory = tmp_path_factory.mktemp("explained") / "model"
    write_model_directory(
        directory, network, ["a", "b", "c"], configurations / "preprocessing/log_mel_16k.yaml"
    )
    return directory


def write(name, n_samples=8000, channels=1, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.1, (n_samples, channels))
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(name, noise * np.linspace(0, 1, n_samples)[:, None], RATE)


@pytest.fixture
def explain(model, tmp_path, monkeypatch):
    """Run `explain MODEL recordings OUTPUT` in a folder with two recordings; its exit code."""
    monkeypatch.chdir(tmp_path)
    write("recordings/b.wav")
    write("recordings/a.wav", n_samples=9000, channels=2, seed=1)

    def explain(*options, output="out", served=model, inputs=("recordings",)):
        arguments = ["autrainer-ext", "explain", str(served), *inputs, output]
        monkeypatch.setattr("sys.argv", [*arguments, *map(str, options)])
        try:
            CLI(AutrainerCLI()).main()
        except SystemExit as exit:
            return exit.code
        return 0

    return explain


def table(name):
    return pd.read_csv(name)


def contents(folder="out"):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*.*"))


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
    """Folder of one finished call with noise, labels, audio and the sanity check."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write("recordings/b.wav")
        write("recordings/a.wav", n_samples=9000, channels=2, seed=1)
        Path("labels.csv").write_text("filename,target\na.wav,a\nb.wav,b\n")
        options = [*FAST[:-1], "--noise", "white", "--targets", "labels.csv", "--sanity"]
        patch.setattr(
            "sys.argv", ["autrainer-ext", "explain", str(model), "recordings", "out", *options]
        )
        CLI(AutrainerCLI()).main()
    return folder / "out"


def test_scores_have_a_row_per_clip_explainer_and_mask(finished):
    scores = table(finished / "scores.csv")
    assert scores.columns.tolist() == COLUMNS
    explainers = ["saliency", "kernel_shap"]
    counts = scores.groupby(["noise", "filename", "explainer", "mask"]).size()
    assert len(scores) == len(counts) == 2 * 2 * len(explainers) * 2
    assert set(scores["explainer"]) == set(explainers)
    assert set(scores["noise"]) == {"none", "white"}
    assert scores["run"].unique().tolist() == ["model"]
    targets = dict(zip(scores["filename"], scores["target"], strict=True))
    assert targets == {"a.wav": "a", "b.wav": "b"}
    assert (scores["correct"] == (scores["target"] == scores["prediction"])).all()
    gaps = scores.groupby("explainer")["completeness_gap"]
    assert gaps.apply(lambda gap: gap.abs().max())["kernel_shap"] < 1e-3
    assert gaps.count()["saliency"] == 0


def test_scores_are_those_of_the_formulas(finished, model):
    """One row, computed again from the saved model and the host's features."""
    from autrainer.serving import Inference

    from autrainer_ext.explanation.attributors import saliency

    scores = table(finished / "scores.csv").query(
        "filename == 'b.wav' and noise == 'none' and explainer == 'saliency' and mask == 'bin'"
    )
    host = Inference(str(model))
    path = finished.parent / "recordings/b.wav"
    features = host._preprocess_file(host.file_handler.load(str(path)))
    network = host.model.eval()
    with torch.no_grad():
        f = network(features).softmax(1)
        target = f.argmax(1)
        mask = saliency(network, features, target) > 0
        silence = torch.tensor(-100.0)
        f_in = network(torch.where(mask, features, silence)).softmax(1)
        f_out = network(torch.where(mask, silence, features)).softmax(1)
    index = int(target)
    row = scores.iloc[0]
    assert row["prediction"] == "abc"[index]
    assert row["confidence"] == pytest.approx(float(f.max()), abs=1e-5)
    assert row["FF"] == pytest.approx(float(f[0, index] - f_out[0, index]), abs=1e-4)
    assert row["FidIn"] == float(f_in.argmax() == index)


def test_summary_is_against_the_floor(finished):
    summary = table(finished / "summary.csv")
    scores = table(finished / "scores.csv")
    assert len(summary) % (2 * 2 * 2 * 9) == 0
    row = summary.query(
        "noise == 'white' and explainer == 'kernel_shap' and mask == 'topK_30' and measure == 'AD' "
        "and samples == 'all'"
    ).iloc[0]
    chosen = scores.query("noise == 'white' and mask == 'topK_30' and explainer == 'kernel_shap'")
    assert row["mean"] == pytest.approx(chosen["AD"].mean())
    assert row["floor"] == pytest.approx(chosen["AD_floor"].mean())
    assert row["gain"] == pytest.approx(row["floor"] - row["mean"])  # less is better
    assert row["n"] == 2
    binned = scores.query("explainer == 'saliency'")
    difference = (binned["kept_energy_share"] - binned["floor_energy_share"]).abs()
    assert difference.max() < 0.02


def test_explainers_are_compared_at_equal_size(finished):
    areas = table(finished / "areas.csv")
    assert len(areas) == 2 * 2 * 3  # noises, explainers, measures
    comparison = table(finished / "comparison.csv")
    assert len(comparison) == 2 * 3
    row = comparison.query("noise == 'none' and measure == 'AD'").iloc[0]
    means = areas.query("noise == 'none' and measure == 'AD'").set_index("explainer")["mean"]
    assert row["difference"] == pytest.approx(means["kernel_shap"] - means["saliency"], abs=1e-4)
    assert (finished / "size.png").stat().st_size > 1000


def test_parts_can_be_heard_and_add_up(finished):
    folder = finished / "clips/none/a.wav"
    parts = [
        soundfile.read(folder / f"saliency_bin_{part}.flac")[0] for part in ("kept", "removed")
    ]
    recording = soundfile.read(finished.parent / "recordings/a.wav")[0].mean(axis=1)
    np.testing.assert_allclose(sum(parts), recording, atol=1e-5)
    audio = table(finished / "audio.csv")
    assert len(audio) == 2 * 2 * 2
    answers = audio[[f"{p}_{kind}" for p in ("kept", "removed") for kind in ("features", "audio")]]
    assert answers.apply(lambda column: column.between(0, 1)).all(axis=None)


def test_every_clip_has_a_page_whose_files_lie_beside_it(finished):
    folder = finished / "clips/white/a.wav"
    page = (folder / "index.html").read_text()
    prediction = table(folder / "scores.csv")["prediction"].iloc[0]
    assert f"Predicted <b>{prediction}</b>" in page
    named = set(re.findall(r'\\"([\w.]+\.(?:png|flac))\\"', page))
    assert {"recording.flac", "saliency_bin_kept.flac", "kernel_shap_map.png"} <= named
    assert all((folder / name).is_file() for name in named)


def test_sanity_check_starts_at_the_output(finished):
    sanity = table(finished / "sanity.csv")
    assert sanity["layer"].iloc[0] == "head.0"
    assert sanity["layer"].nunique() == len(sanity) / 4
    assert (sanity["n"] == 2).all()
    assert sanity["mean"].between(-1, 1).all()


def test_every_clip_has_its_panels(finished):
    for name in ("saliency", "kernel_shap"):
        for suffix in ("png", "svg"):
            assert (finished / f"clips/white/b.wav/{name}.{suffix}").stat().st_size > 1000


def test_equal_calls_give_equal_tables(explain):
    for output in ("out", "again"):
        assert explain(*FAST, "--listen", output=output) == 0
    for name in ("scores.csv", "summary.csv"):
        assert Path("out", name).read_bytes() == Path("again", name).read_bytes()
    assert "audio.csv" not in contents()


def test_shards_give_the_tables_of_one_process(explain, shards_here, tmp_path):
    Path("recordings/bad.wav").write_text("bad")
    assert explain(*FAST, output="whole") == 3
    assert explain(*FAST, "-j", "2", output="divided") == 3
    assert [started[-4:-1] for started in shards_here] == [
        ["--shard", "0", "2"],
        ["--shard", "1", "2"],
    ]
    whole, divided = (
        {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}
        for folder in ("whole", "divided")
    )
    assert {Path("scores.csv"), Path("errors.csv")} <= whole.keys()
    assert divided == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["divided", "recordings", "whole"]


def test_batch_size_changes_nothing(explain):
    explain(*FAST, "--listen", "-b", 1)
    explain(*FAST, "--listen", "-b", 50, output="again")
    one, many = (table(f"{folder}/scores.csv") for folder in ("out", "again"))
    for name in ("confidence", "FF", "FidIn", "SPS", "insertion_auc", "deletion_auc"):
        np.testing.assert_allclose(one[name], many[name], atol=1e-5, err_msg=name)
    for name in ("AI", "AD", "AG"):  # in per cent
        np.testing.assert_allclose(one[name], many[name], atol=1e-3, err_msg=name)


def test_what_was_interrupted_is_continued(explain, monkeypatch):
    assert explain(*FAST, "--listen", output="whole") == 0
    explain_clip, calls = clips.explain_clip, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return explain_clip(*arguments)

    monkeypatch.setattr(clips, "explain_clip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        explain(*FAST, "--listen")
    assert [path.name for path in Path("out/clips/none").iterdir()] == ["a.wav"]
    assert not Path("out/scores.csv").exists()
    assert explain(*FAST, "--listen") == 0
    assert len(calls) == 3
    assert explain(*FAST, "--listen") == 0  # nothing left to do
    assert len(calls) == 3
    assert Path("out/scores.csv").read_bytes() == Path("whole/scores.csv").read_bytes()


def test_another_recording_of_the_same_name_is_explained_again(explain):
    assert explain(*FAST, "--listen") == 0
    before = table("out/scores.csv").set_index("filename")
    kept = Path("out/clips/none/a.wav/scores.csv").stat().st_mtime_ns
    write("recordings/b.wav", seed=5)
    assert explain(*FAST, "--listen") == 0
    after = table("out/scores.csv").set_index("filename")
    assert after.loc["a.wav", "FF"].tolist() == before.loc["a.wav", "FF"].tolist()
    assert after.loc["b.wav", "FF"].tolist() != before.loc["b.wav", "FF"].tolist()
    assert Path("out/clips/none/a.wav/scores.csv").stat().st_mtime_ns == kept
    assert explain(*FAST, "--listen", output="new") == 0
    assert Path("out/scores.csv").read_bytes() == Path("new/scores.csv").read_bytes()


def test_another_front_end_needs_another_folder(explain, model, tmp_path):
    served = shutil.copytree(model, tmp_path / "served")
    explain(*FAST, "--listen", served=served)
    pipeline = served / "preprocess_pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("fmin: 50", "fmin: 60"))
    with pytest.raises(CommandLineError, match="created with another setting 'model'"):
        explain(*FAST, "--listen", served=served)


def test_other_settings_need_another_folder(explain):
    explain(*FAST, "--listen")
    before = contents()
    with pytest.raises(
        CommandLineError, match="created with another setting 'seed': choose another folder"
    ):
        explain(*FAST, "--listen", "--seed", 1)
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    with pytest.raises(CommandLineError, match="'other' contains files that are not results"):
        explain(*FAST, output="other")
    assert contents() == before
    assert contents("other") == ["notes.txt"]


def test_bad_files_are_named_and_the_rest_done(explain):
    Path("recordings/corrupt.wav").write_text("text")
    Path("recordings/empty.wav").touch()
    soundfile.write("recordings/silent.wav", np.zeros(8000), RATE)
    write("recordings/short.wav", n_samples=100)
    assert explain(*FAST, "--listen", "--noise", "white") == 3
    errors = dict(table("out/errors.csv").to_numpy())
    assert errors == {
        "corrupt.wav": "not readable as audio: Format not recognised.",
        "empty.wav": "empty (0 bytes)",
        "short.wav": "too short to analyse: 100 samples (-m pads)",
        "silent.wav": "silent: all samples are equal",
    }
    assert set(table("out/scores.csv")["filename"]) == {"a.wav", "b.wav"}
    for path in Path("recordings").glob("[ces]*.wav"):
        path.unlink()
    assert explain(*FAST, "--listen", "--noise", "white") == 0
    assert not Path("out/errors.csv").exists()


def test_whatever_a_file_raises_the_rest_is_explained(explain, monkeypatch):
    name = "n" * 251 + ".wav"
    write(f"recordings/{name}", seed=3)
    soundfile.write("recordings/none.wav", np.zeros(0), RATE)
    explain_clip, calls = clips.explain_clip, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("bands")
        return explain_clip(*arguments)

    monkeypatch.setattr(clips, "explain_clip", failing)
    assert explain(*FAST, "--listen") == 3
    assert dict(table("out/errors.csv").to_numpy()) == {
        "a.wav": "KeyError: 'bands'",
        "none.wav": "holds no samples",
    }
    assert set(table("out/scores.csv")["filename"]) == {"b.wav", name}


def test_only_bad_files_exit_with_1(explain):
    for path in Path("recordings").iterdir():
        path.write_text("text")
    with pytest.raises(CommandLineError, match="0 of 2 files explained; see 'out/errors.csv'") as e:
        explain(*FAST)
    assert e.value.code == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--explainer", "magic"], "Unknown explainer 'magic'. Choose from: saliency"),
        (["--explainer", "saliency-grid"], "Unknown explainer 'saliency-grid'"),
        (["--mask", "best"], "Unknown mask 'best'"),
        (["--listen", "best"], "Unknown mask 'best'"),
        (["--noise", "hall.wav"], "'hall.wav' does not exist"),
        (["--noise", "labels.csv"], "'labels.csv' is not readable as audio"),
        (["--targets", "labels.csv"], "Unknown column 'target' in 'labels.csv'"),
        (["--noise", "white", "white"], "Two noises are called 'white'"),
        (["--alpha", "1.5"], "Argument 'alpha' must be in"),
        (["--layer", "nowhere"], "Unknown layer 'nowhere'"),
        (["-p", "nothing"], "Unknown preprocessing configuration 'nothing'"),
        (["-c", "_first"], "does not exist"),
        (["--device", "gpu"], "Unknown device 'gpu'. .*Choose from: auto, cpu, cuda, mps"),
        (["--device", "cuda:99"], "Device 'cuda:99' does not exist on this machine"),
        (["-e", "mp3"], "No 'mp3' files"),
    ],
)
def test_wrong_arguments_are_reported_before_any_work(explain, options, message):
    Path("labels.csv").write_text("filename,label\n")
    with pytest.raises(CommandLineError, match=message) as error:
        explain(*options)
    assert error.value.code == 1
    assert "\n" not in error.value.message
    assert not Path("out").exists()


def test_wrong_usage_exits_with_2(explain):
    with pytest.raises(CommandLineError, match="'0' is not a whole number") as error:
        explain("-b", "0")
    assert error.value.code == 2


def test_earlier_options_are_aliases(explain, monkeypatch):
    Path("truth.csv").write_text("filename,target\na.wav,a\nb.wav,b\n")
    assert explain(*FAST, "--listen", "--labels", "truth.csv", "--silence", -90) == 0
    monkeypatch.setattr(clips, "explain_clip", None)  # everything is done
    assert explain(*FAST, "--listen", "--targets", "truth.csv", "--baseline", -90) == 0
    settings = yaml.safe_load(Path("out/settings.yaml").read_text())
    assert settings["baseline"] == -90
    assert settings["targets"] == {"a.wav": "a", "b.wav": "b"}


def test_masks_to_listen_to_need_not_be_scored(explain):
    assert explain(*FAST, "--listen", "topK_5") == 0
    assert set(table("out/scores.csv")["mask"]) == {"bin", "topK_30"}
    assert set(table("out/audio.csv")["mask"]) == {"topK_5"}
    assert Path("out/clips/none/a.wav/saliency_topK_5_kept.flac").is_file()


def test_output_must_be_a_folder(explain):
    Path("out").write_text("mine")
    with pytest.raises(CommandLineError, match="Output 'out' is not a folder"):
        explain(*FAST)
    assert Path("out").read_text() == "mine"


def test_features_without_a_way_back_are_explained_without_audio(explain, model, tmp_path, capsys):
    served = tmp_path / "resized"
    shutil.copytree(model, served)
    transform = "$autrainer.transforms.specific_transforms.Resize==0.4.0"
    settings = {"height": 40, "width": 64, "interpolation": "bilinear", "antialias": True}
    (served / "inference_transform.yaml").write_text(
        yaml.safe_dump(
            {
                "$autrainer.transforms.smart_compose.SmartCompose==0.4.0": {
                    "transforms": [{transform: settings | {"order": -90}}]
                }
            }
        )
    )
    options = [option for option in FAST if option != "-q"]
    assert explain(*options, served=served) == 0
    assert "No audio of the parts: Features of the shape (40, 64)" in capsys.readouterr().out
    assert not list(Path("out").rglob("*.flac"))
    assert len(table("out/scores.csv")) == 2 * 2 * 2


def test_noise_of_a_file_is_resampled(explain):
    soundfile.write("hall.wav", np.random.default_rng(0).normal(0, 1, 4000), 8000)
    assert explain(*FAST, "--listen", "--noise", "hall.wav") == 0
    scores = table("out/scores.csv")
    assert set(scores["noise"]) == {"none", "hall"}
    by_noise = scores.groupby("noise")["confidence"].mean()
    assert by_noise["none"] != by_noise["hall"]
    assert set(yaml.safe_load(Path("out/settings.yaml").read_text())["noises"]) == {"none", "hall"}


def test_published_measures_are_those_of_the_masks(explain):
    assert explain(*FAST, "--listen", "--source-compatible") == 0
    scores = table("out/scores.csv").query("filename == 'b.wav'")
    n_bins = 51 * 64
    # of a binary mask the Gini index is the share that is not kept, the entropy ln(kept bins)
    np.testing.assert_allclose(scores["SPS"] + np.exp(scores["COMP"]) / n_bins, 1, atol=1e-5)


def test_single_files_and_folders_are_explained_together(explain):
    write("other/c.wav", seed=2)
    inputs = ("recordings/b.wav", "other")
    assert explain("--explainer", "saliency", "--mask", "bin", "-q", inputs=inputs) == 0
    assert set(table("out/scores.csv")["filename"]) == {"other/c.wav", "recordings/b.wav"}
    assert explain(*FAST, output="single", inputs=("recordings/b.wav",)) == 0
    assert set(table("single/scores.csv")["filename"]) == {"b.wav"}


def test_long_recordings_are_explained_window_by_window(explain, root):
    Path("recordings/b.wav").unlink()
    write("recordings/a.wav", n_samples=40000)
    options = ["--windows", "all", "--explainer", "saliency", "--mask", "bin", "--no-panels", "-q"]
    assert explain(*options, served=root / "model") == 0
    windows = ["0.00-0.96", "0.96-1.92", "1.54-2.50"]
    scores = table("out/scores.csv")
    assert scores["filename"].tolist() == [f"a.wav/{window}" for window in windows]
    whole = soundfile.read("recordings/a.wav")[0]
    for window in windows:
        start, end = (round(RATE * float(second)) for second in window.split("-"))
        part = soundfile.read(f"out/clips/none/a.wav/{window}/recording.flac")[0]
        np.testing.assert_allclose(part, whole[start:end], atol=1e-4)
    assert explain(*options, served=root / "model") == 0  # continued


def test_a_model_of_whole_recordings_has_no_windows(explain):
    with pytest.raises(CommandLineError, match="hears whole recordings"):
        explain("--windows", "all", "-q")
