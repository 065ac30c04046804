"""Processor time, files and bytes per recording of explain, inference and adaptation.

    python benchmarks/cluster_cost.py [--seconds 10] [--clips 3]

The figures behind the estimate for two million recordings in docs/guide/cluster.md. CP-Mobile with
127,000 parameters and random weights, log-mel features of 64 bins, synthetic recordings, one
thread.
Processor time is measured, so that other users of the machine matter little.
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import autrainer
import numpy as np
import soundfile
import torch

from autrainer_ext.adaptation import Protocol, adapt, make_method
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.models import CPMobile
from autrainer_ext.serving.inference import BatchedInference
from autrainer_ext.serving.model_directory import write_model_directory
from autrainer_ext_plugins.fidelity.folder import FolderExplanation

RATE = 16000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clips", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        network = CPMobile(10)
        configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
        front_end = configurations / "preprocessing/log_mel_16k.yaml"
        write_model_directory(work / "model", network, list("abcdefghij"), front_end)
        files = write_recordings(work / "audio", args.clips, args.seconds)
        print(f"{args.seconds:g} s, {args.clips} recordings; per recording:")
        print_explain(work, files, "explain, defaults", panels=True, listen=("bin",))
        print_explain(work, files, "explain, tables only", panels=False, listen=())
        print_inference(work, files)
        print_adaptation(network, args.seconds)


def write_recordings(folder, n_clips, seconds):
    folder.mkdir()
    rng = np.random.default_rng(0)
    time_axis = np.arange(int(seconds * RATE)) / RATE
    for index in range(n_clips):
        envelope = np.interp(time_axis, np.linspace(0, seconds, 20), rng.uniform(0, 1, 20))
        tone = np.sin(2 * np.pi * rng.uniform(200, 4000) * time_axis)
        noise = rng.normal(0, 0.1, len(time_axis))
        soundfile.write(folder / f"{index}.wav", envelope * (0.3 * tone + noise), RATE)
    return sorted(path.name for path in folder.iterdir())


def print_explain(work, files, label, **settings):
    output = work / label.replace(" ", "-")
    explanation = FolderExplanation(
        ExplainSettings(device="cpu", **settings),
        model=work / "model",
        input=work / "audio",
        output=output,
    )
    with contextlib.redirect_stderr(io.StringIO()):
        explanation.run(files[:1], quiet=True)  # exports the network
        start = time.process_time()
        explanation.run(files, quiet=True)
    seconds = (time.process_time() - start) / (len(files) - 1)
    written = [path for path in (output / "clips").rglob("*") if path.is_file()]
    n_bytes = sum(path.stat().st_size for path in written)
    n = len(files)
    flac = sum(path.suffix == ".flac" for path in written)
    print(
        f"{label}: {seconds:.2f} s, {len(written) / n:.0f} files ({flac / n:.0f} FLAC), "
        f"{n_bytes / n / 1e6:.2f} MB",
        flush=True,
    )


def print_inference(work, files):
    inference = BatchedInference(
        model_path=str(work / "model"), checkpoint="_best", device="cpu", preprocess_cfg="default"
    )
    inference.run(str(work / "audio"), files)
    start = time.process_time()
    for _ in range(8):
        inference.run(str(work / "audio"), files)
    print(f"inference: {(time.process_time() - start) / len(files) / 8:.4f} s", flush=True)


def print_adaptation(network, seconds):
    features = torch.randn(96, 1, int(seconds * 100) + 1, 64)
    for name in ("tent", "ntta"):
        method = make_method(name, network, {})
        adapt(method, features, Protocol(batch_size=32))  # the first step is slower
        start = time.process_time()
        outcome = adapt(method, features, Protocol(batch_size=32))
        seconds = (time.process_time() - start) / len(features)
        print(f"{name}: {seconds:.3f} s, {[step['event'] for step in outcome.steps]}", flush=True)


if __name__ == "__main__":
    main()
