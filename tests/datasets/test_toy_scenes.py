from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from autrainer_ext.datasets import ToyScenes
from autrainer_ext.datasets.toy_devices import DEVICES, record
from autrainer_ext.datasets.toy_scenes import plan
from autrainer_ext.datasets.toy_sounds import LENGTH, RATE, harmonics
from autrainer_ext.datasets.toy_soundscapes import CITIES, SCENES, moment

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "ToyScenes"
    ToyScenes.download(str(path))
    return path


@pytest.fixture(scope="module")
def tables(root):
    return {split: pd.read_csv(root / f"{split}.csv") for split in ("train", "dev", "test")}


def test_tables_name_every_recording_once(root, tables):
    names = pd.concat(tables.values())["filename"]
    assert len(names) == names.nunique() == 1910
    assert set(names) == {p.name for p in (root / "default").iterdir()}
    columns = ["filename", "scene", "device", "city", "moment"]
    assert all(table.columns.tolist() == columns for table in tables.values())


def test_no_moment_is_in_two_splits(tables):
    moments = [set(table["moment"]) for table in tables.values()]
    assert sum(map(len, moments)) == len(set.union(*moments)) == 529 + 6 * (14 + 25)


def test_training_is_long_tailed_and_the_rest_balanced(tables):
    counts = {split: table["scene"].value_counts() for split, table in tables.items()}
    assert counts["train"].tolist() == [360, 252, 176, 124, 86, 60]
    assert counts["train"].max() / counts["train"].min() == 6
    assert set(counts["dev"]) == {14 * 3}
    assert set(counts["test"]) == {25 * 4}


def test_only_the_test_set_hears_the_last_device(tables):
    devices = {split: set(table["device"]) for split, table in tables.items()}
    assert devices == {"train": {*"abc"}, "dev": {*"abc"}, "test": {*"abcd"}}


def test_a_moment_has_one_scene_one_city_and_parallel_devices(tables):
    for split, table in tables.items():
        groups = table.groupby("moment")
        assert (groups[["scene", "city"]].nunique() == 1).all(axis=None)
        assert (
            set(groups["device"].agg("".join))
            == {
                "train": {"ab", "ac"},
                "dev": {"abc"},
                "test": {"abcd"},
            }[split]
        )


def test_every_city_hears_every_scene(tables):
    counts = pd.crosstab(tables["train"]["scene"], tables["train"]["city"])
    assert counts.shape == (len(SCENES), len(CITIES))
    assert counts.to_numpy().min() > 0


def test_recordings_are_one_second_of_16_bit_mono(root):
    infos = [soundfile.info(path) for path in sorted((root / "default").iterdir())[::50]]
    formats = {(i.frames, i.samplerate, i.channels, i.subtype) for i in infos}
    assert formats == {(16_000, 16_000, 1, "PCM_16")}


def test_a_clip_can_be_made_again_without_the_others(root, tables):
    for row in tables["test"].sample(12, random_state=0).itertuples():
        rng = np.random.default_rng([2022, row.moment])
        sound = moment(row.scene, row.city, rng)
        noise = np.random.default_rng([2022, row.moment, ord(row.device)])
        samples, _ = soundfile.read(root / "default" / row.filename, dtype="int16")
        assert np.array_equal(samples, record(sound, row.device, noise)), row.filename


def test_another_seed_gives_another_set():
    assert not plan(1)["city"].equals(plan(2)["city"])
    sounds = [moment("park", "arden", np.random.default_rng([seed, 0])) for seed in (1, 2)]
    assert abs(np.corrcoef(sounds)[0, 1]) < 0.1


def test_parallel_recordings_hear_the_same_and_others_do_not(root, tables):
    table = tables["test"].set_index("filename")

    def spectrum(name):
        samples, _ = soundfile.read(root / "default" / name)
        return np.log(np.abs(np.fft.rfft(samples))[300:3000])

    first = table[table["moment"] == table["moment"].iloc[0]]
    same = [spectrum(name) for name in first.index]
    other = spectrum(table.index[-1])
    within = np.corrcoef(same)[np.triu_indices(4, 1)]
    across = [np.corrcoef(spectrum_, other)[0, 1] for spectrum_ in same]
    assert within.min() > 0.7
    assert within.min() > max(across) + 0.2


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("device", DEVICES)
def test_levels_are_audible_and_rarely_saturate(scene, device):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        samples = record(moment(scene, "belmont", rng), device, rng) / 32_768
        assert samples.shape == (LENGTH,)
        level = 10 * np.log10(np.mean(samples**2))
        assert -45 < level < -12, seed
        assert np.mean(np.abs(samples) > 0.9 * DEVICES[device].ceiling) < 0.01, seed


def test_silence_records_as_self_noise():
    for device, settings in DEVICES.items():
        samples = record(np.zeros(LENGTH), device, np.random.default_rng(0)) / 32_768
        level = 10 * np.log10(np.mean(samples**2))
        assert level == pytest.approx(settings.self_noise, abs=0.3)


def test_device_response_is_the_one_written_down():
    tone = 0.01 * np.sin(2 * np.pi * 100 * np.arange(LENGTH) / RATE)
    samples = record(tone, "a", np.random.default_rng(0)) / 32_768
    assert np.std(samples[2000:-2000]) == pytest.approx(0.01 / np.sqrt(2), rel=0.03)


def test_harmonics_are_a_sum_of_sines():
    phase = np.linspace(0, 20, 500)
    gains = np.array([1.0, -0.5, 0.0, 0.25])
    expected = sum(g * np.sin(k * phase) for k, g in enumerate(gains, 1))
    np.testing.assert_allclose(harmonics(phase, gains), expected, atol=1e-12)


def test_download_leaves_a_complete_folder_alone(root):
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    ToyScenes.download(str(root))
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before


def test_half_made_folder_is_an_error(tmp_path):
    (tmp_path / "default").mkdir()
    with pytest.raises(FileExistsError, match=r"lacks 'train\.csv': delete the folder, then"):
        ToyScenes.download(str(tmp_path))


def test_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(soundfile, "write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        ToyScenes.download(str(tmp_path / "ToyScenes"))
    assert list(tmp_path.iterdir()) == []
