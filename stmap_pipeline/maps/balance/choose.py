"""Choose windows so that none is used more often than needed, and all subjects, recordings and times have their turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# multiples of the golden ratio spread any first few of a row of windows evenly over its length
_GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(slots=True)
class Pool:
    """Windows to choose from, with how often each was used so far.

    Parameters
    ----------
    recording, subject : (W,) array of int
        Numbers from 0; windows of one recording stand side by side in the order of time.
    per_subject_cap : int, optional
        Largest number of uses of the windows of one subject.
    """

    recording: IntArray
    subject: IntArray
    per_subject_cap: int | None = None
    uses: IntArray | None = None

    def take(self, candidates: IntArray, number: int, cost: FloatArray, random: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Take up to ``number`` of the candidates, each at most once.

        The least used come first. Among equals subjects take turns; of a subject its recordings take turns, the cheaper one
        first; of a recording windows are spread over its time.

        Parameters
        ----------
        candidates : (C,) array of int
            Windows, without repetition.
        number : int
        cost : (C,) array of float
        random : Generator

        Returns
        -------
        taken : array of int
            In ascending order.
        capped : array of int
            Candidates that the cap left no room for.

        Examples
        --------
        >>> pool = Pool(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 1]))
        >>> taken, _ = pool.take(np.arange(4), 2, np.zeros(4), np.random.default_rng(0))
        >>> len({0, 1, 2} & set(taken.tolist())), 3 in taken
        (1, True)
        """
        if self.uses is None:
            self.uses = np.zeros(len(self.recording), dtype=np.int64)
        recording, subject, uses = self.recording[candidates], self.subject[candidates], self.uses[candidates]
        subjects, most = int(self.subject.max(initial=0)) + 1, int(self.uses.max(initial=0)) + 1
        turns = random.random(int(self.recording.max(initial=0)) + 1)
        place = (candidates * _GOLDEN + turns[recording]) % 1.0
        # several keys in one number: they are sorted a hundred times
        group = recording * most + uses
        in_recording = _turns(np.lexsort((place, group)), group)
        group = subject * most + uses
        order = np.lexsort((recording, cost, group * (len(candidates) + 1) + in_recording))
        in_subject = _turns(order, group)
        room = np.ones(len(candidates), dtype=np.bool_)
        if self.per_subject_cap is not None:
            used = np.bincount(self.subject, weights=self.uses, minlength=subjects)
            room = _turns(order, subject) < (self.per_subject_cap - used)[subject]
        lot = random.permutation(subjects)
        order = np.argsort((uses * (len(candidates) + 1) + in_subject) * subjects + lot[subject], kind="stable")
        taken = np.sort(candidates[order[room[order]][: max(number, 0)]])
        self.uses[taken] += 1
        return taken, candidates[~room]


def _turns(order: npt.NDArray[np.intp], group: IntArray) -> IntArray:
    """Count through each group in the given order, which must keep groups together."""
    changes = np.zeros(len(order), dtype=np.bool_)
    changes[1:] = np.diff(group[order]) != 0
    number = np.arange(len(order))
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = number - np.maximum.accumulate(np.where(changes, number, 0))
    return turn
