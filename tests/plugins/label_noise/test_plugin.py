import pandas as pd
import pytest

from autrainer_ext.runs import find_runs
from autrainer_ext_plugins.plugin import load_plugin

pytestmark = pytest.mark.slow


def test_runs_without_folds_are_ranked_by_training_and_shown(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tiny)
    runs = find_runs("results", "clean")
    load_plugin("LabelNoise", {"shown": 8}).run(runs, tmp_path)
    assert "only 12 of 48 recordings were held out" in capsys.readouterr().err
    table = pd.read_csv(tmp_path / "suspects.csv")
    assert len(table) == 48
    assert (tmp_path / "gallery/suspects.png").stat().st_size > 1000


def test_wrong_settings_are_named(tiny, tmp_path):
    with pytest.raises(ValueError, match="'shown' must be at least 1, got 0"):
        load_plugin("LabelNoise", {"shown": 0})
    with pytest.raises(ValueError, match="No run matches 'nothing'"):
        load_plugin("LabelNoise", {"runs": "nothing"}).run(
            find_runs(tiny / "results", "clean"), tmp_path
        )
