"""Windows in a row, for networks that read several of one recording."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

# a start further away than this many usual steps is no neighbor: windows are missing between
_FAR = 1.5


class WindowRows:
    """Which windows follow each other.

    A row is of one recording and one ``hr_scale``, at consecutive starts; where windows are missing between, a new row begins.

    Parameters
    ----------
    recording, start, hr_scale : (W,) arrays
        Of all windows.

    Examples
    --------
    >>> rows = WindowRows(np.array([0, 0, 0, 0, 1]), np.array([0, 15, 30, 90, 0]), np.ones(5))
    >>> rows.up_to([2, 0, 3, 4], 2).tolist()
    [[1, 2], [0, 1], [3, 3], [4, 4]]
    """

    def __init__(self, recording: IntArray, start: IntArray, hr_scale: npt.NDArray[np.float64]) -> None:
        self._order = np.lexsort((start, hr_scale, recording))
        step = np.diff(start[self._order])
        same = (np.diff(recording[self._order]) == 0) & (np.diff(hr_scale[self._order]) == 0)
        usual = float(np.median(step[same])) if same.any() else 0.0
        begins = np.concatenate(([True], ~same | (step > _FAR * usual)))
        first = np.flatnonzero(begins)
        row = np.cumsum(begins) - 1
        self._first, self._stop = first[row], np.append(first[1:], len(row))[row]
        self._place = np.empty_like(self._order)
        self._place[self._order] = np.arange(len(row))

    def up_to(self, index: npt.ArrayLike, consecutive: int) -> IntArray:
        """For each window, name the windows in a row that end with it, so that all that came before is known.

        Where not so many came before it, the first ones of its row are taken. A row that is shorter repeats its last window.

        Parameters
        ----------
        index : (B,) array of int
        consecutive : int
            K, from 1.

        Returns
        -------
        (B, K) array of int64
            Always with the window itself among them.

        Raises
        ------
        ValueError
            Where K is below 1.
        """
        if consecutive < 1:
            raise ValueError(f"a row has one window or more, not {consecutive}")
        at = self._place[np.asarray(index, dtype=np.int64)]
        low, high = self._first[at], self._stop[at]
        begin = np.clip(at - consecutive + 1, low, np.maximum(low, high - consecutive))
        wanted = np.minimum(begin[:, None] + np.arange(consecutive), (high - 1)[:, None])
        return np.asarray(self._order[wanted], dtype=np.int64)
