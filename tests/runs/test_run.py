import subprocess
import sys

import pytest

from autrainer_ext.runs import find_runs, read_run


def test_iterations_are_sorted_by_number(run_directory):
    for name in ("epoch_10", "epoch_2", "epochs", "epoch_x"):
        (run_directory / name).mkdir()
    run = read_run(run_directory)
    assert list(run.iterations) == [1, 2, 10]
    assert run.is_complete
    assert run.name == "Toy_Net_1"


def test_family_is_the_name_without_the_seed(run_directory):
    run = read_run(run_directory)
    assert (run.seed, run.family) == ("1", "Toy_Net")
    (run_directory / ".hydra/config.yaml").write_text("dataset: {id: Toy}\n")
    run = read_run(run_directory)
    assert (run.seed, run.family) == ("", "Toy_Net_1")


def test_interrupted_run_is_found_and_told_apart(run_directory):
    (run_directory / "metrics.csv").unlink()
    (run,) = find_runs(run_directory.parents[2], "exp")
    assert not run.is_complete


def test_missing_folders_are_named(run_directory, tmp_path):
    with pytest.raises(ValueError, match=r"nowhere' is not a run directory: it does not exist"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"not a run directory: it has no .hydra/config.yaml"):
        read_run(tmp_path)
    with pytest.raises(ValueError, match=r"results/other' does not exist"):
        find_runs(tmp_path / "results", "other")
    (tmp_path / "empty/exp/training").mkdir(parents=True)
    with pytest.raises(ValueError, match="contains no runs"):
        find_runs(tmp_path / "empty", "exp")


def test_unusable_configuration_is_named(run_directory):
    (run_directory / ".hydra/config.yaml").write_text("a: [")
    with pytest.raises(ValueError, match=r"config.yaml' is not valid YAML"):
        read_run(run_directory)


def test_reading_imports_neither_torch_nor_the_host():
    code = "import sys, autrainer_ext.runs; print({'torch', 'autrainer'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "set()"
