"""The order in which people number files: 2 before 10."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Give a sort key that compares runs of digits as numbers and letters without case.

    Examples
    --------
    >>> sorted(["10.jpg", "9.jpg", "010.jpg", "1.jpg"], key=natural_key)
    ['1.jpg', '9.jpg', '010.jpg', '10.jpg']
    """
    parts = tuple((0, int(part), "") if _DIGITS.match(part) else (1, 0, part.casefold()) for part in _DIGITS.split(name) if part)
    # the name itself decides between 010 and 10, so that the order never depends on the file system
    return parts, name
