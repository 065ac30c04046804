"""Public functions of the pure rooms show an example, and every example runs."""

import ast

import pytest

from tests.test_architecture import LEVELS, MODULES, dotted, room

# pure mathematics: what a newcomer would try first
ROOMS = {name for name, level in LEVELS.items() if level <= 2} - {
    "autrainer_ext.atomic",
    "autrainer_ext.compat",
    "autrainer_ext.configurations",
}
PUBLIC = [
    pytest.param(node, id=f"{dotted(path)}.{node.name}")
    for path in MODULES
    if dotted(path).startswith("autrainer_ext.") and room(dotted(path)) in ROOMS
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
]


@pytest.mark.parametrize("node", PUBLIC)
def test_public_function_has_an_example(node):
    assert ">>> " in (ast.get_docstring(node) or ""), "add an example that runs"
