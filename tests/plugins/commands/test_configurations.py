import pytest
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

from autrainer_ext_plugins.cli import CLI
from hydra_plugins.autrainer_ext import configuration_directory


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command line in a folder with its own CPMobile; what it printed."""
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/CPMobile.yaml").write_text("id: CPMobile\nmine: true\n")
    (tmp_path / "conf/plugin").mkdir()
    (tmp_path / "conf/plugin/Own.yaml").write_text("_target_: own.Plugin\n")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["autrainer-ext", *arguments])
        CLI(AutrainerCLI()).main()
        return capsys.readouterr().out

    return run


def test_list_shows_sources_in_the_order_of_the_search_path(run):
    headings = [line for line in run("list", "model").splitlines() if line.endswith(":")]
    assert [heading.split(" (")[0] for heading in headings] == [
        "local",
        "autrainer-ext",
        "autrainer",
    ]


def test_list_marks_what_is_hidden(run):
    lines = run("list", "model", "-p", "CPMobile").splitlines()
    assert lines[1] == " - CPMobile"
    assert lines[3] == " - CPMobile (hidden by the one above)"


def test_list_finds_groups_of_the_user(run):
    assert " - Own" in run("list", "plugin")


@pytest.mark.parametrize(("flag", "local", "shipped"), [("-l", True, False), ("-g", False, True)])
def test_list_is_limited_to_one_side(run, flag, local, shipped):
    output = run("list", "model", flag)
    assert ("local" in output, "autrainer-ext" in output) == (local, shipped)


def test_list_without_match_says_so(run):
    assert run("list", "model", "-p", "Z*") == "No 'model' configurations match 'Z*'.\n"


def test_show_prints_what_hydra_takes(run):
    assert "mine: true" in run("show", "model", "CPMobile")
    shipped = (configuration_directory() / "model/CPMobile-5k.yaml").read_text().rstrip()
    assert run("show", "model", "CPMobile-5k.yaml").rstrip().endswith(shipped)


def test_show_saves_the_shipped_configuration(run, tmp_path):
    with pytest.raises(CommandLineError, match="already exists"):
        run("show", "model", "CPMobile", "-s")
    assert "mine" in (tmp_path / "conf/model/CPMobile.yaml").read_text()
    run("show", "model", "CPMobile", "-s", "-f")
    shipped = (configuration_directory() / "model/CPMobile.yaml").read_text()
    assert (tmp_path / "conf/model/CPMobile.yaml").read_text() == shipped
