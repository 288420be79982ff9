"""A memory for the few things that were made last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Make things by name, and keep the latest.

    Parameters
    ----------
    make : callable
    size : int
        How many are kept.

    Examples
    --------
    >>> recent = Recent(lambda name: [name], size=1)
    >>> first = recent.get("a")
    >>> recent.get("a") is first, recent.get("b") is first, recent.get("a") is first
    (True, False, False)
    """

    def __init__(self, make: Callable[[str], T], size: int) -> None:
        self._make, self._size = make, size
        self._kept: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str) -> T:
        """Give what was made for the name, or make it now."""
        if name not in self._kept:
            while len(self._kept) >= self._size:
                self._kept.popitem(last=False)
            self._kept[name] = self._make(name)
        self._kept.move_to_end(name)
        return self._kept[name]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
