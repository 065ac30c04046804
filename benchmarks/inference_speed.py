"""Inference over 1000 half-second files: the host's against `autrainer-ext inference`.

Both predict the same files with CPMobile-14k behind the 16 kHz log-mel front end, in turns in
one process. Prints files per second, their ratio and the largest difference of any output.

    python benchmarks/inference_speed.py [FILES] [ROUNDS]
"""

import sys
import tempfile
import time
from pathlib import Path

import autrainer
import numpy as np
import soundfile
import torch
from autrainer.serving import Inference

from autrainer_ext.models import CPMobile
from autrainer_ext.serving.audio_files import collect_files
from autrainer_ext.serving.inference import BatchedInference
from autrainer_ext.serving.model_directory import write_model_directory


def make_model(directory: Path) -> Path:
    torch.manual_seed(0)
    model = CPMobile(10, base_channels=16, channels_multiplier=1.5, expansion_rate=2.0)
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    log_mel = configurations / "preprocessing" / "log_mel_16k.yaml"
    write_model_directory(directory, model, list("0123456789"), log_mel)
    return directory


def make_recordings(directory: Path, n_files: int) -> Path:
    directory.mkdir()
    generator = np.random.default_rng(0)
    for index in range(n_files):
        samples = generator.normal(0, 0.1, 8000)
        soundfile.write(directory / f"{index:04d}.wav", samples, 16000)
    return directory


def main(n_files: int = 1000, rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = str(make_model(Path(folder, "model")))
        recordings = str(make_recordings(Path(folder, "recordings"), n_files))
        host, ours = Inference(model), BatchedInference(model_path=model)
        seconds: dict[str, list[float]] = {"host": [], "ours": []}
        for _ in range(rounds):
            start = time.perf_counter()
            expected = host.predict_directory(recordings, "wav", update_frequency=0)
            seconds["host"].append(time.perf_counter() - start)
            start = time.perf_counter()
            outcome = ours.run(recordings, collect_files(recordings, "wav"))
            seconds["ours"].append(time.perf_counter() - start)
    expected = expected.sort_values("filename", ignore_index=True)
    outputs = [np.stack(table["output"]) for table in (expected, outcome.results)]
    same = (expected["prediction"] == outcome.results["prediction"]).all()
    best = {name: min(times) for name, times in seconds.items()}
    print(f"{torch.get_num_threads()} threads, {n_files} files, best of {rounds} rounds")
    for name, duration in best.items():
        print(f"{name}: {duration:6.2f} s, {n_files / duration:6.0f} files per second")
    print(f"ratio: {best['host'] / best['ours']:.2f}")
    print(
        f"same predictions: {same}, largest difference {np.abs(outputs[0] - outputs[1]).max():.1e}"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
