"""Check of a sweep over criteria: the names of its runs must differ."""

from typing import cast

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from .hosts import compose

_KEYS = ("criterion@dataset.criterion", "dataset.criterion")
REMEDY = (
    "'dataset.id=${autrainer_ext.chosen:dataset}"
    "-${autrainer_ext.chosen:criterion@dataset.criterion}'"
)


def refuse_equal_names(overrides: list[str]) -> None:
    """Refuse to sweep criteria if their runs would have the same name.

    The name that the host gives to a run does not contain the criterion. Without the criterion in
    the id of the data set, the host trains with the first one and skips the others.

    Args:
        overrides: Arguments after the command.

    Raises:
        ValueError: If two criteria give the same name; the message contains an argument that
            puts the criterion into the id of any data set.
    """
    given = get_args_parser().parse_known_args(overrides)[0].overrides
    options = [argument for argument in overrides if argument not in given]
    swept = _swept(compose(overrides, "config"), given)
    for key in _KEYS:
        criteria = swept.get(key, [])
        if len(criteria) < 2:
            continue
        names = [_run_name(options, swept, key, criterion) for criterion in criteria[:2]]
        if names[0] == names[1]:
            first, second = (c.split("=", 1)[1] for c in criteria[:2])
            group = "" if key == _KEYS[0] else f" and sweep '+{_KEYS[0]}=NAME,NAME' instead"
            raise ValueError(
                f"Criteria '{first}' and '{second}' give runs of the same name, '{names[0]}': the "
                f"host would skip the second. Add {REMEDY}{group}."
            )


def _swept(config: DictConfig, given: list[str]) -> dict[str, list[str]]:
    """Overrides with the single values of every setting, by its key without a leading `+`."""
    parser = OverridesParser.create()
    found = config.hydra.sweeper.get("params") or OmegaConf.create({})
    params = cast("dict[str, object]", OmegaConf.to_container(found, resolve=False))
    lines = [f"{key}={value}" for key, value in params.items()] + given
    return {
        override.get_key_element().lstrip("+"): _values(override)
        for override in parser.parse_overrides(lines)
    }


def _values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.input_line)]
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _run_name(options: list[str], swept: dict[str, list[str]], key: str, chosen: str) -> str:
    """Name of the run with a criterion and the first value of everything else that is swept."""
    single = {name: values[0] for name, values in swept.items()} | {key: chosen}
    return str(compose([*options, *single.values()], "config").hydra.sweep.subdir)
