import pytest

pytestmark = pytest.mark.old_host

HOST_OF = """
import sys
from autrainer_ext_plugins.commands.hosts import host_command_line
print(type(host_command_line(sys.argv[1:])).__module__.split(".")[0], "aucurriculum" in sys.modules)
"""
PLAIN, CURRICULUM = "autrainer False", "aucurriculum True"
RUN = "Toy_Net_Adam_0.1_32_epoch_1_None_None_1"
CURRICULUM_RUN = "Toy_Net_Adam_0.1_32_epoch_1_None_None_N_N_None_None_1_0_1"


@pytest.mark.parametrize(
    ("arguments", "host"),
    [
        ("train", PLAIN),
        ("train iterations=2 dataset.path=x", PLAIN),
        ("train model=CPMobile-5k --cfg job", PLAIN),
        ("preprocess -n 2 -u 0 iterations=2", PLAIN),
        ("fetch -l", PLAIN),
        ("train -cn mine", CURRICULUM),
        ("train -cd elsewhere -cn other", PLAIN),
        ("train +curriculum=None", CURRICULUM),
        ("train -cn missing", PLAIN),
        ("train -cn curriculum", CURRICULUM),
        ("train -h", CURRICULUM),
        ("preprocess -n x", CURRICULUM),
        ("curriculum", CURRICULUM),
        ("list model", CURRICULUM),
        ("group", PLAIN),
        ("group -cn grouped", PLAIN),
        ("postprocess results plain", PLAIN),
        ("postprocess -m 3 results curricula -a seed", CURRICULUM),
        ("postprocess results missing", CURRICULUM),
        ("", CURRICULUM),
    ],
)
def test_host_follows_the_experiment(python, tmp_path, arguments, host):
    for folder in ("conf", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "conf/mine.yaml").write_text("defaults: [_aucurriculum_train_, _self_]\n")
    (tmp_path / "elsewhere/other.yaml").write_text("defaults: [_autrainer_, _self_]\n")
    (tmp_path / "conf/grouped.yaml").write_text(
        f"groupings:\n  - runs:\n      - combine: [{RUN}]\n        run_name: all\n"
    )
    (tmp_path / "results/plain/training" / RUN).mkdir(parents=True)
    (tmp_path / "results/plain/training/multirun.yaml").touch()
    (tmp_path / "results/curricula/training" / CURRICULUM_RUN).mkdir(parents=True)
    assert python(HOST_OF, *arguments.split()) == host
