"""A small experiment with hostile names, its page, and a browser to open it."""

import shutil
from contextlib import contextmanager
from time import monotonic

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from autrainer_ext.plugin import load_plugin
from autrainer_ext.report.clips import save_overlay, save_spectrogram, save_veil
from autrainer_ext.report.page import write_page
from autrainer_ext.report.source import open_experiment
from autrainer_ext.report.story import tell

CLASSES = ["<img src=x onerror=window.pwned=1>", "__proto__", "tram"]
DEVICES = ["a", "<svg onload=window.pwned=1>"]
HOSTILE = "</script><script>window.pwned=1</script>.wav"
SIZES = {"dev": 15, "test": 60}
RUNS = [("CrossEntropy", 1), ("CrossEntropy", 2), ("Focal", 1), ("Focal", 2)]
SECONDS = 0.5


def write_runs(folder, *, n_test=SIZES["test"], runs=RUNS, iterations=3):
    """Run directories as the host and `CleanOutputs` write them, with planted accuracy."""
    sizes = SIZES | {"test": n_test}
    hardness = {split: np.linspace(0, 1, n) for split, n in sizes.items()}
    for criterion, seed in runs:
        rng = np.random.default_rng([seed, len(criterion)])
        run = folder / f"results/story/training/Toy-{criterion}_Net_{seed}"
        for name in (".hydra", "_best", "_test", "_metadata"):
            (run / name).mkdir(parents=True)
        dataset = {
            "id": f"Toy-{criterion}",
            "path": str(folder / "data"),
            "index_column": "filename",
            "target_column": "scene",
            "criterion": f"torch.nn.{criterion}Loss",
            "stratify": ["device"],
        }
        config = {"dataset": dataset, "model": {"id": "Net"}, "seed": seed}
        config |= {"iterations": iterations, "training_type": "epoch", "batch_size": 8}
        config |= {name: {"id": "None"} for name in ("optimizer", "scheduler", "augmentation")}
        (run / ".hydra/config.yaml").write_text(yaml.safe_dump(config))
        (run / "target_transform.yaml").write_text(yaml.safe_dump({"Enc": {"labels": CLASSES}}))
        (run / "metrics.csv").write_text("iteration\n")
        (run / "model_summary.yaml").write_text("total_params: 13828\ntotal_mult_adds: 1723140\n")
        (run / "_best/best_results.yaml").write_text(f"best_iteration: {iterations}\n")
        train = pd.DataFrame({"filename": ["train-0.wav"], "scene": CLASSES[2], "device": "a"})
        train.to_csv(run / "_metadata/train.csv", index=False)
        for split, size in sizes.items():
            targets = np.arange(size) % len(CLASSES)
            devices = np.array(DEVICES)[(hardness[split] > 0.5).astype(int)]
            names = [f"{split}-{i}.wav" for i in range(size)]
            names[0] = HOSTILE
            table = {"filename": names, "scene": np.array(CLASSES)[targets], "device": devices}
            pd.DataFrame(table).to_csv(run / f"_metadata/{split}.csv", index=False)
            for iteration in range(1, iterations + 1):
                lead = 3 * (iteration / iterations - hardness[split])
                outputs = rng.normal(size=(size, len(CLASSES)))
                outputs[np.arange(size), targets] += lead
                best = [run / ("_best" if split == "dev" else "_test")]
                for place in [run / f"epoch_{iteration}"] + best * (iteration == iterations):
                    place.mkdir(exist_ok=True)
                    np.save(place / f"{split}_outputs.npy", outputs.astype(np.float32))
                    np.save(place / f"{split}_targets.npy", targets)
                    np.save(place / f"{split}_indices.npy", np.arange(size))
    return folder / "results"


def write_plugins(results):
    """Tables of the plugins: the cheap ones run, the others are written by hand."""
    experiment = open_experiment(results, "story")
    for name, settings in (
        ("EntropyTriangle", {"figures": False, "intervals": "none"}),
        ("Difficulty", {"gallery": False, "n_resamples": 20}),
        ("Devices", {}),
    ):
        plugin = load_plugin(name, settings)
        folder = experiment.folder / plugin.folder
        folder.mkdir()
        plugin.run(experiment.runs, folder)
    comparison = {"split": ["test", "dev"], "score": "mutual_information", "n_seeds": 2}
    comparison |= {"first": "<b>Focal</b>", "second": "CrossEntropy", "difference": [0.1, -0.2]}
    comparison |= {"low": [-0.05, -0.3], "high": [0.25, -0.1], "higher": ["", "CrossEntropy"]}
    table = pd.DataFrame(comparison)
    table.to_csv(experiment.folder / "entropy_triangle/comparison.csv", index=False)
    told = experiment.told.name
    names = pd.read_csv(experiment.told.path / "_metadata/test.csv")["filename"]
    hard = np.linspace(0, 1, len(names))
    for folder in ("fidelity", "adaptation", "latent_space/coordinates"):
        (experiment.folder / folder).mkdir(parents=True)
    scores = [
        (told, name, explainer, mask, "none", value, 0.2)
        for i, name in enumerate(names)
        for mask in ("topK_5", "topK_30")
        for explainer, value in (("grad_cam", 0.9 - 0.5 * hard[i]), ("random", 0.2))
    ]
    columns = [
        "run",
        "filename",
        "explainer",
        "mask",
        "noise",
        "insertion_auc",
        "insertion_auc_floor",
    ]
    pd.DataFrame(scores, columns=columns).to_csv(
        experiment.folder / "fidelity/scores.csv", index=False
    )
    summary = [
        (told, "none", explainer, mask, "all", "FidIn", True, 60, mean, mean - 0.1, mean + 0.1)
        for explainer in ("grad_cam", "random")
        for mask, mean in (("topK_5", 0.4), ("topK_30", 0.7))
    ]
    columns = ["run", "noise", "explainer", "mask", "samples", "measure", "higher_is_better"]
    table = pd.DataFrame(summary, columns=[*columns, "n", "mean", "low", "high"])
    table = table.assign(floor=0.3, gain=0.1, gain_low=0.05, gain_high=0.2)
    table.to_csv(experiment.folder / "fidelity/summary.csv", index=False)
    cells = [
        (told, method, "online", "shuffled", "white_noise", severity, 32, 1, 0.5, 0.5 + gain)
        for method, gain in (("source", 0.0), ("ntta", 0.2), ("tent", -0.1))
        for severity in (3, 5)
    ]
    keys = ["run", "method", "protocol", "order", "corruption", "severity", "batch_size", "seed"]
    table = pd.DataFrame(cells, columns=[*keys, "accuracy_before", "accuracy_after"])
    table["gain"] = table["accuracy_after"] - table["accuracy_before"]
    table = table.assign(gain_low=table["gain"] - 0.05, gain_high=table["gain"] + 0.05)
    table = table.assign(n_adapted=2, n_held=1)
    table.to_csv(experiment.folder / "adaptation/results.csv", index=False)
    copies = pd.DataFrame({"filename": names, "n_cells": 2, "n_correct_before": 1})
    copies["n_correct_after"] = np.where(hard > 0.5, 2, 0)
    copies = copies.assign(run=told, method="ntta", protocol="online", order="shuffled")
    copies.to_csv(experiment.folder / "adaptation/recordings.csv", index=False)
    layers = [
        (told, layer, score, 0.8, 0.7, 0.9, 0.3)
        for layer in ("stem", "head")
        for score in ("class_probe", "device_probe")
    ]
    columns = ["run", "layer", "score", "value", "low", "high", "chance"]
    pd.DataFrame(layers, columns=columns).to_csv(
        experiment.folder / "latent_space/separability.csv", index=False
    )
    for layer in ("stem", "head"):
        points = pd.DataFrame({"index": np.arange(len(names)), "class": np.arange(len(names)) % 3})
        points["tsne_x"] = np.cos(points.index) + 3 * points["class"]
        points["tsne_y"] = np.sin(points.index)
        points.to_csv(
            experiment.folder / f"latent_space/coordinates/{told}_{layer}.csv", index=False
        )
    return experiment


def write_clips(story, folder, rows):
    """Clips of half a second, as `ClipWriter` describes them."""
    time = np.arange(int(8000 * SECONDS)) / 8000
    for row in rows:
        clip = folder / "clips" / str(row)
        clip.mkdir(parents=True)
        for name in ("clip", "kept", "removed"):
            soundfile.write(clip / f"{name}.flac", 0.1 * np.sin(2e3 * time), 8000)
        values = np.random.default_rng(row).normal(size=(40, 16))
        save_spectrogram(values, clip / "spectrogram.png")
        save_overlay(values, clip / "map.png")
        save_veil((values > 0).astype(float), clip / "kept.png")
        save_veil((values <= 0).astype(float), clip / "removed.png")
        story["clips"][row] = {"seconds": SECONDS, "prediction": 2, "parts": True}


@pytest.fixture(scope="session")
def experiment(tmp_path_factory):
    """Experiment with all tables. To be read, not to be changed."""
    return write_plugins(write_runs(tmp_path_factory.mktemp("story")))


@pytest.fixture(scope="session")
def page(experiment, tmp_path_factory):
    """Folder of the page of the experiment."""
    folder = tmp_path_factory.mktemp("page")
    story = tell(experiment)
    story |= {"clips": {}, "skipped": [], "no_clips": ""}
    story["meta"] |= {"explainer": "grad_cam", "mask": "topK_30"}
    write_clips(story, folder, [0, 15, 20, 70])
    write_page(story, folder)
    return folder


def wait_until(tab, condition, seconds=20):
    """Wait for a condition in JavaScript; the policy of the page forbids the driver's own way."""
    end = monotonic() + seconds
    while not tab.evaluate(condition):
        assert monotonic() < end, f"{condition} does not become true"
        tab.wait_for_timeout(20)


def find_browser():
    """Path of a headless Chromium, or None."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = find_browser()
    if path is None:
        pytest.skip("needs Chromium, such as the Debian package chromium-headless-shell")
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser):
    """Open a page from disk without network; the test fails on any error of the page."""

    @contextmanager
    def open_page(folder, address="", *, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        tab = context.new_page()
        errors, outside = [], []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        tab.on(
            "request",
            lambda asked: (
                outside.append(asked.url)
                if not asked.url.startswith(("file:", "blob:", "data:"))
                else None
            ),
        )
        tab.goto(f"file://{folder}/index.html{address}")
        wait_until(tab, "document.documentElement.dataset.ready === 'yes'")
        yield tab
        assert errors == []
        assert outside == []
        context.close()

    return open_page
