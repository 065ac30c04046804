import pytest

from autrainer_ext.errors import unknown_name


def test_close_match_is_suggested_before_the_list():
    error = unknown_name("mask", "sigmoyd", ["bin", "sigmoid"])
    assert isinstance(error, ValueError)
    assert str(error) == (
        "Unknown mask 'sigmoyd'. Did you mean 'sigmoid'? Choose from: bin, sigmoid."
    )


def test_the_closest_of_several_matches_is_suggested():
    assert "Did you mean 'device'?" in str(unknown_name("column", "devise", ["devices", "device"]))


def test_name_without_a_close_match_gets_the_list_only():
    error = unknown_name("mask", "xyz", ["bin", "sigmoid"])
    assert str(error) == "Unknown mask 'xyz'. Choose from: bin, sigmoid."


@pytest.mark.parametrize("known", [[], iter(()), {}])
def test_no_known_names(known):
    assert str(unknown_name("run", "a", known)) == "Unknown run 'a'. Choose from: none."


def test_names_need_not_be_strings():
    error = unknown_name("severity", 6, (1, 2, 3))
    assert str(error) == "Unknown severity '6'. Choose from: 1, 2, 3."


def test_case_does_not_hide_a_close_match():
    assert "Did you mean 'TAU22'?" in str(unknown_name("data set", "tau22", ["ToyScenes", "TAU22"]))
