"""Shared error messages."""

import difflib
from collections.abc import Iterable


def unknown_name(
    kind: str, name: object, known: Iterable[object], *, where: str = ""
) -> ValueError:
    """Error for an unknown name, which suggests the closest known name in any case of letters.

    Args:
        kind: What the name denotes, such as "mask" or "column".
        name: The unknown name.
        known: All known names.
        where: Place that was searched, such as "'test.csv'"; empty if it goes without saying.

    Returns:
        The error, to be raised by the caller.

    Example:
        >>> print(unknown_name("mask", "bni", ["bin", "sigmoid"]))
        Unknown mask 'bni'. Did you mean 'bin'? Choose from: bin, sigmoid.
    """
    names = [str(each) for each in known]
    place = f" in {where}" if where else ""
    by_lower = {each.lower(): each for each in names}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    hint = f" Did you mean '{by_lower[close[0]]}'?" if close else ""
    return ValueError(
        f"Unknown {kind} '{name}'{place}.{hint} Choose from: {', '.join(names) or 'none'}."
    )
