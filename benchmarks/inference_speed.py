"""Inference over half-second files: `autrainer-ext inference` against the host's.

Both predict the same files with CPMobile-14k behind the 16 kHz log-mel front end, in turns in
one process.
"""

import tempfile
from pathlib import Path

import autrainer
import numpy as np
import pandas as pd
import soundfile
import torch
from autrainer.serving import Inference

from autrainer_ext.models import CPMobile
from autrainer_ext.serving.audio_files import collect_files
from autrainer_ext.serving.inference import BatchedInference
from autrainer_ext.serving.model_directory import write_model_directory
from benchmarks.rows import Row, in_turns


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


def rows(*, quick: bool) -> list[Row]:
    found = []
    for n_files in (100, 200) if quick else (250, 500, 1000):
        with tempfile.TemporaryDirectory() as folder:
            model = str(make_model(Path(folder, "model")))
            recordings = str(make_recordings(Path(folder, "recordings"), n_files))
            host, ours = Inference(model), BatchedInference(model_path=model)
            files = collect_files(recordings, "wav")
            tables: dict[str, pd.DataFrame] = {}

            def predict(tables=tables, host=host, folder=recordings):
                tables["host"] = host.predict_directory(folder, "wav", update_frequency=0)

            def predict_ours(tables=tables, ours=ours, folder=recordings, files=files):
                tables["ours"] = ours.run(folder, files).results

            times = in_turns({"host": predict, "ours": predict_ours}, 2 if quick else 5)
        expected = tables["host"].sort_values("filename", ignore_index=True)
        outputs = [np.stack(table["output"]) for table in (expected, tables["ours"])]
        note = f"outputs differ by at most {np.abs(outputs[0] - outputs[1]).max():.0e}"
        name = f"inference of {n_files} files of 0.5 s"
        found.append(Row(name, "the host's", times["ours"] / times["host"], note=note))
    return found
