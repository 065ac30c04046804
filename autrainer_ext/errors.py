"""Shared error messages."""

import difflib
from collections.abc import Iterable


def unknown_name(kind: str, name: object, known: Iterable[object]) -> ValueError:
    """Error for an unknown name, which suggests the closest known name.

    Args:
        kind: What the name denotes, such as "mask" or "column of 'test.csv'".
        name: The unknown name.
        known: All known names.

    Returns:
        The error, to be raised by the caller.

    Example:
        >>> print(unknown_name("mask", "bni", ["bin", "sigmoid"]))
        Unknown mask 'bni'. Did you mean 'bin'? Choose from: bin, sigmoid.
    """
    names = [str(each) for each in known]
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return ValueError(f"Unknown {kind} '{name}'.{hint} Choose from: {', '.join(names) or 'none'}.")
