"""What the page is told, read from tables with planted relations."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from autrainer_ext.report.build import build_report
from autrainer_ext.report.page import as_script, render, write_page
from autrainer_ext.report.recordings import read_recordings
from autrainer_ext.report.relations import relate_devices
from autrainer_ext.report.sections import map_purity
from autrainer_ext.report.source import open_experiment
from autrainer_ext.report.story import choose_clips, tell

from .conftest import CLASSES, DEVICES, HOSTILE, write_clips, write_runs


@pytest.fixture(scope="module")
def story(experiment):
    return tell(experiment)


def test_recordings_hold_the_predictions_of_every_run(experiment):
    table = read_recordings(experiment)
    test = table[table["split"] == "test"]
    for run in experiment.runs:
        outputs = np.load(run.path / "_test/test_outputs.npy")
        assert test[run.name].tolist() == outputs.argmax(axis=1).tolist()
    assert test["filename"].iloc[0] == HOSTILE


def test_doubt_is_the_lead_of_the_strongest_other_class(experiment):
    table = read_recordings(experiment)
    test = table[table["split"] == "test"].reset_index(drop=True)
    slow = []
    for i in range(len(test)):
        doubts = []
        for run in experiment.runs:
            logits = np.load(run.path / "_test/test_outputs.npy")[i].astype(float)
            p = np.exp(logits) / np.exp(logits).sum()
            label = test["target"][i]
            doubts.append(max(p[c] for c in range(3) if c != label) - p[label])
        slow.append(np.mean(doubts))
    assert np.allclose(test["doubt"], slow, atol=1e-6)


def test_planted_relations_are_found(story):
    links = {relation["id"]: relation for relation in story["links"]}
    assert list(links) == ["predictions", "explanations", "adaptation", "latent", "devices"]
    assert links["predictions"]["sentence"].startswith("This checkpoint fails")
    assert links["explanations"]["sentence"] == (
        "Hard recordings are explained worse than easy ones by grad_cam."
    )
    assert links["adaptation"]["sentence"] == (
        "Adaptation helps hard recordings more than easy ones with ntta."
    )
    assert f"Recordings of {DEVICES[1]} are harder" in links["devices"]["sentence"]


def test_points_of_the_thirds_hold_all_test_recordings(story):
    points = story["links"][0]["points"]
    for kind in ("third", "device"):
        assert sum(point["n"] for point in points if point["kind"] == kind) == 60
    easiest, _, hardest = [p["mutual_information"] for p in points if p["kind"] == "third"]
    assert easiest > hardest


def test_matrices_count_every_recording(story):
    for matrix in story["triangle"]["matrices"]:
        size = {"test": 60, "dev": 15}[matrix["split"]]
        assert np.asarray(matrix["cells"]).reshape(-1, 3)[:, 2].sum() == size


def test_devices_against_the_others_by_hand():
    test = pd.DataFrame({"device": ["a"] * 6 + ["b"] * 6, "rank": np.linspace(0, 1, 12)})
    relation = relate_devices(test)
    a, b = relation["links"]
    assert a["rho"] == pytest.approx(-b["rho"])
    assert relation["sentence"] == (
        "Recordings of b are harder than those of the other devices. "
        "Recordings of a are easier than those of the other devices."
    )


def test_purity_equals_a_slow_count():
    rng = np.random.default_rng(0)
    points, classes = rng.normal(size=(40, 2)), rng.integers(0, 3, 40)
    slow = []
    for i in range(40):
        far = ((points - points[i]) ** 2).sum(axis=1)
        near = [j for j in np.argsort(far) if j != i][:10]
        slow.append(np.mean(classes[near] == classes[i]))
    assert np.allclose(map_purity(points, classes), slow)


@pytest.mark.parametrize("n_clips", [0, 1, 4, 30, 500])
def test_clips_hold_the_hardest_and_the_explained(story, n_clips):
    recordings = story["recordings"]
    rows = choose_clips(recordings, n_clips)
    assert rows == sorted(set(rows))
    assert len(rows) == min(n_clips, 75)
    if n_clips >= 4:
        assert int(np.nanargmax(recordings["rank"])) in rows


def test_missing_tables_name_the_command_that_makes_them(tmp_path):
    results = write_runs(tmp_path, n_test=6, runs=[("Focal", 1)], iterations=1)
    story = tell(open_experiment(results, "story"))
    assert story["missing"]["latent"] == {
        "command": "autrainer-ext postprocess results story -p LatentSpace"
    }
    assert set(story["missing"]) == {
        "triangle", "difficulty", "fidelity", "adaptation", "devices", "latent",
    }  # fmt: skip
    assert story["links"] == []


def test_a_damaged_table_leaves_out_its_section_only(experiment, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(experiment.folder.parent, results)
    (results / "story/latent_space/separability.csv").write_text("nonsense\n1\n")
    (results / "story/devices/devices.csv").write_bytes(b"\xff\xfe\x00")
    story = tell(open_experiment(results, "story"))
    assert len(story["problems"]) == 2
    assert story["triangle"] is not None


def test_html_escapes_names_and_the_script_holds_no_tag(story):
    story = dict(story) | {"clips": {}, "skipped": [HOSTILE], "no_clips": ""}
    assert "<script>window" not in render(story)
    script = as_script(story)
    assert "<" not in script
    literal = script.removeprefix("window.STORY = JSON.parse(").removesuffix(");\n")
    assert json.loads(json.loads(literal))["meta"]["classes"] == CLASSES


def test_the_page_is_the_same_byte_by_byte_and_holds_no_path(experiment, tmp_path):
    for name in ("first", "second"):
        story = tell(experiment) | {"clips": {}, "skipped": [], "no_clips": ""}
        story["meta"] |= {"explainer": "grad_cam", "mask": "bin"}
        (tmp_path / name).mkdir()
        write_clips(story, tmp_path / name, [3])
        write_page(story, tmp_path / name)
    files = [path for path in (tmp_path / "first").rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        assert content == (tmp_path / "second" / path.relative_to(tmp_path / "first")).read_bytes()
        assert str(experiment.folder.parent).encode() not in content


def test_a_users_folder_is_never_written_to(experiment, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("words")
    with pytest.raises(FileExistsError, match="mine"):
        build_report(experiment, tmp_path / "mine", n_clips=0)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_recordings_that_are_not_there_leave_out_the_audio(experiment, tmp_path):
    notices = build_report(experiment, tmp_path / "page", n_clips=5)
    assert notices == ["The recordings were not found: give their folder with --audio."]
    assert not (tmp_path / "page/clips").exists()


def test_the_run_to_follow_is_chosen_by_name_or_label(experiment):
    results = experiment.folder.parent
    assert open_experiment(results, "story", told="Focal, seed 2").told.name == "Toy-Focal_Net_2"
    with pytest.raises(ValueError, match="Unknown run 'Focl'"):
        open_experiment(results, "story", told="Focl")


def test_comparisons_are_those_of_test(story):
    (row,) = story["summary"]["comparisons"]
    assert (row["first"], row["difference"]) == ("<b>Focal</b>", 0.1)
    html = render(dict(story) | {"clips": {}, "skipped": [], "no_clips": ""})
    assert "&lt;b&gt;Focal&lt;/b&gt;" in html
    assert "+0.100" in html
    assert "not told apart" in html
