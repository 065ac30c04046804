"""Sweeps over criteria: names of runs."""

import shlex

import pytest

from autrainer_ext_plugins.commands.sweeps import REMEDY, refuse_equal_names

SWEEP = """
defaults:
  - _autrainer_
  - override dataset: {dataset}
  - override model: CPMobile-5k
  - override optimizer: Adam
  - _self_
results_dir: results
experiment_id: sweep
iterations: 1
hydra:
  sweeper:
    params:
      +seed: 1,2
      +batch_size: 8
      +learning_rate: 0.01
      +criterion@dataset.criterion: CrossEntropy,Focal
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    import autrainer  # noqa: F401  # the search path has no configurations of the host without it

    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    for name, dataset in (("own", "FSDD"), ("host", "SpeechCommands-16k")):
        (tmp_path / f"conf/{name}.yaml").write_text(SWEEP.format(dataset=dataset))


@pytest.mark.parametrize("experiment", ["own", "host"])
def test_criteria_that_would_be_skipped_are_refused_with_a_remedy(project, experiment):
    arguments = ["-cn", experiment]
    with pytest.raises(ValueError, match="'CrossEntropy' and 'Focal' give runs of the same name"):
        refuse_equal_names(arguments)
    refuse_equal_names([*arguments, *shlex.split(REMEDY)])
    refuse_equal_names([*arguments, "+criterion@dataset.criterion=Focal"])


def test_criteria_given_on_the_command_line_and_by_class_are_seen(project):
    with pytest.raises(ValueError, match="'LDAM' and 'Focal' give"):
        refuse_equal_names(["-cn", "own", "+criterion@dataset.criterion=LDAM,Focal"])
    classes = "torch.nn.CrossEntropyLoss,autrainer_ext.criterions.FocalLoss"
    with pytest.raises(ValueError, match="and sweep '\\+criterion@dataset.criterion=NAME,NAME'"):
        refuse_equal_names(
            ["-cn", "own", "+criterion@dataset.criterion=LDAM", f"dataset.criterion={classes}"]
        )


def test_the_shipped_experiments_name_their_criteria(project):
    for name in ("ext_demo", "ext_balancing_fsdd"):
        refuse_equal_names(["-cn", name])
