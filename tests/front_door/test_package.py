"""The package itself: light to import, and its functions found when they are used."""

import pytest

import autrainer_ext

LIGHT = """
import sys, autrainer_ext
heavy = {"torch", "numpy", "pandas", "matplotlib", "scipy", "autrainer", "hydra"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
names = {"explain", "adapt", "difficulty", "entropy_triangle", "load_cp_mobile"}
assert names <= set(dir(autrainer_ext))
assert callable(autrainer_ext.difficulty)
assert "torch" not in sys.modules
import autrainer_ext.difficulty as room
from autrainer_ext.difficulty import rank_difficulty
assert callable(autrainer_ext.difficulty) and room.rank_difficulty is rank_difficulty
try:
    autrainer_ext.difficulty("nowhere")
except ValueError as error:
    print(error)
"""


def test_import_loads_no_library_and_the_room_of_difficulty_stays_callable(python):
    assert python(LIGHT) == "Folder 'nowhere' does not exist."


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'autrainer_ext' has no attribute 'explode'"):
        _ = autrainer_ext.explode


def test_functions_are_those_of_the_rooms():
    from autrainer_ext.front_door.triangle import entropy_triangle
    from autrainer_ext.serving.published import load_cp_mobile

    assert autrainer_ext.entropy_triangle is entropy_triangle
    assert autrainer_ext.load_cp_mobile is load_cp_mobile
