"""A cache of the traces that were used last, bounded by their size in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LruCache(Generic[T]):
    """Least recently used cache of things with a known size.

    Parameters
    ----------
    make : callable
        Makes the thing of a key, and its size in bytes.
    max_bytes : int
        The cache holds no more than this, or a single thing that is larger.

    Examples
    --------
    >>> cache = LruCache(lambda key: ([key], 6), max_bytes=10)
    >>> first = cache.get("a")
    >>> cache.get("a") is first, cache.get("b") is first, cache.get("a") is first
    (True, False, False)
    """

    def __init__(self, make: Callable[..., tuple[T, int]], max_bytes: int) -> None:
        self._make, self.max_bytes = make, max_bytes
        self._kept: OrderedDict[tuple[object, ...], tuple[T, int]] = OrderedDict()
        self.bytes = 0

    def get(self, *key: object) -> T:
        """Return the thing of a key, made now unless it is kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        value, size = self._make(*key)
        while self._kept and self.bytes + size > self.max_bytes:
            self.bytes -= self._kept.popitem(last=False)[1][1]
        self._kept[key] = value, size
        self.bytes += size
        return value

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self.bytes = 0
