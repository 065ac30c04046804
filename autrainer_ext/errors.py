"""Error messages that many rooms share: one form for an unknown name."""

import difflib
from collections.abc import Iterable


def unknown_name(kind: str, name: object, known: Iterable[object]) -> ValueError:
    """Error for a name that does not exist, with the closest existing one first.

    Args:
        kind: What the name stands for, such as "mask" or "column of 'test.csv'".
        name: The unknown name.
        known: All names that exist.

    Returns:
        The error, to be raised.

    Example:
        >>> print(unknown_name("mask", "bni", ["bin", "sigmoid"]))
        Unknown mask 'bni'. Did you mean 'bin'? Choose from: bin, sigmoid.
    """
    names = [str(each) for each in known]
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return ValueError(f"Unknown {kind} '{name}'.{hint} Choose from: {', '.join(names) or 'none'}.")
