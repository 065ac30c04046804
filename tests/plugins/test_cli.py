from importlib.util import find_spec

import pytest

import autrainer_ext

HEAVY = """
import sys
from autrainer_ext_plugins.cli import main
try:
    main()
except SystemExit:
    pass
heavy = {"torch", "numpy", "pandas", "matplotlib", "scipy", "sklearn", "onnx", "onnxruntime"}
print(heavy & set(sys.modules))
"""


@pytest.mark.parametrize(
    "arguments",
    ["--version", "train -h", "triangle -h", "export -h", "list model", "show model CPMobile"],
)
def test_looking_around_loads_nothing_heavy(python, arguments):
    assert python(HEAVY, *arguments.split()).splitlines()[-1] == "set()"


@pytest.mark.old_host
def test_every_host_command_is_there(command, tmp_path):
    host = command("aucurriculum", "--help", cwd=tmp_path).stdout
    ours = command("autrainer-ext", "--help", cwd=tmp_path).stdout
    commands = [line.split()[0] for line in host.splitlines() if line.startswith("    ")]
    names = [name for name in commands if name.islower() and name.isascii()]
    assert "curriculum" in names
    assert [name for name in names if name not in ours] == []


@pytest.mark.parametrize("name", ["explain", "adapt", "import-cp-mobile", "create", "train"])
def test_examples_name_this_program(command, tmp_path, name):
    lines = command("autrainer-ext", name, "-h", cwd=tmp_path).stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Example"))
    examples = " ".join(lines[start:]).split(":", 1)[1].split()
    assert examples[:2] == ["autrainer-ext", name]
    assert "autrainer-ext-ext" not in examples


def test_version_is_that_of_the_package(command, tmp_path):
    output = command("autrainer-ext", "--version", cwd=tmp_path).stdout
    assert output.strip() == f"autrainer-ext {autrainer_ext.__version__}"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("", 2, "No command provided."),
        ("nonsense", 2, "invalid choice: 'nonsense'"),
        ("list model --what", 2, "Unknown arguments: ['--what']"),
        ("list nonsense", 1, "Unknown group of configurations 'nonsense'. "),
        ("show model Nonsense", 1, "Unknown configuration 'Nonsense' in 'model'. "),
        ("show model CPMobile -s", 1, "already exists. Use -f to overwrite it."),
        ("postprocess results x", 1, "Folder 'results' does not exist."),
        ("postprocess conf x", 1, "Folder 'conf/x' does not exist."),
        ("train -cn nonsense", 1, "Cannot find primary config 'nonsense'"),
        (
            "train dataset=ToyTabular-C optimizer=Adam model=Nonsense",
            1,
            "Could not find 'model/Nonsense'",
        ),
        ("train iterations", 1, "missing EQUAL"),
        ("inference nowhere conf out", 1, "Model directory 'nowhere' does not exist."),
        ("inference conf conf out", 1, "Checkpoint 'conf/_best/model.pt' does not exist."),
        ("inference conf conf out -w 1", 2, "Options -w and -s need each other: give both."),
        ("inference conf conf out -w 1 -s 0", 2, "Option --stride-length must be greater than 0"),
        ("inference conf conf out -b 0", 2, "'0' is not a whole number of at least 1"),
        ("inference conf conf out -d gpu", 2, "Unknown device 'gpu'."),
    ],
)
def test_user_error_is_told_without_traceback(command, tmp_path, arguments, code, message):
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/CPMobile.yaml").touch()
    result = command("autrainer-ext", *arguments.split(), cwd=tmp_path, check=False)
    assert result.returncode == code, result.stderr
    assert message.lower() in result.stderr.lower()
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_failing_job_is_told_in_a_line_and_leaves_no_run(command, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(
        "defaults: [_autrainer_, _self_]\n"
        "results_dir: results\n"
        "experiment_id: default\n"
        "iterations: 1\n"
        "device: cpu\n"
        "hydra: {sweeper: {params: {+seed: 1, +batch_size: 8, +learning_rate: 0.1,\n"
        "  dataset: FSDD, model: CPMobile-5k, optimizer: Adam, dataset.path: nowhere}}}\n"
    )
    result = command("autrainer-ext", "train", cwd=tmp_path, check=False)
    assert result.returncode == 1
    assert "nowhere" in result.stderr.splitlines()[-2]
    assert result.stderr.splitlines()[-1] == "Set HYDRA_FULL_ERROR=1 to see the traceback."
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "results/default/training").glob("*/"))


def test_the_package_can_be_run_as_a_module(python):
    code = (
        "import runpy, sys; sys.argv[0] = 'x'; runpy.run_module('autrainer_ext', alter_sys=True, "
    )
    code += "run_name='__main__')"
    assert python(code, "--version") == f"autrainer-ext {autrainer_ext.__version__}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("expl", ["explain "]),
        ("postprocess results demo -p Ent", ["EntropyTriangle "]),
        ("show plug", ["plugin "]),
        ("show model CPMobile-5", ["CPMobile-5k "]),
    ],
)
def test_the_shell_completes_commands_plugins_and_configurations(command, tmp_path, line, expected):
    line, answer = f"autrainer-ext {line}", tmp_path / "answer"
    command(
        "autrainer-ext", cwd=tmp_path, check=False, _ARGCOMPLETE="1", COMP_LINE=line,
        COMP_POINT=str(len(line)), _ARGCOMPLETE_IFS="|", _ARGCOMPLETE_STDOUT_FILENAME=str(answer),
    )  # fmt: skip
    assert answer.read_text().split("|") == expected


def test_a_missing_logger_is_told_before_training(command, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(
        "defaults: [_autrainer_, _self_]\n"
        "results_dir: results\n"
        "experiment_id: default\n"
        "iterations: 1\n"
        "device: cpu\n"
        "loggers: [{autrainer.loggers.MLFlowLogger: {output_dir: mlruns}}]\n"
        "hydra: {sweeper: {params: {+seed: 1, +batch_size: 8, +learning_rate: 0.1,\n"
        "  dataset: ToyTabular-C, model: ToyFFNN, optimizer: Adam}}}\n"
    )
    if find_spec("mlflow") is not None:
        pytest.skip("mlflow is installed")
    result = command("autrainer-ext", "train", cwd=tmp_path, check=False)
    assert result.returncode == 1
    assert "Logger 'MLFlowLogger' needs mlflow, which is not installed" in result.stderr
    assert not (tmp_path / "results").exists()
