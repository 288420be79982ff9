"""Who is simulated, in which scenario, with which camera and at which heart rate: the list of VIPL-HR, with its gaps and its rates.

Nothing is drawn here but numbers of a whole database at once, because a distribution is a property of all recordings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.databases.vipl_hr import official_folds

SUBJECTS = 107
RECORDINGS = 2378
FOLDS = 5
#: First heart rate of a band of 10 bpm, and how many of the 2,377 labeled videos of VIPL-HR have their mean in it.
VIDEOS_BY_RATE_BPM = {40: 5, 50: 144, 60: 541, 70: 926, 80: 500, 90: 155, 100: 66, 110: 29, 120: 8, 130: 3}
#: How many recordings of a scenario each camera of VIPL-HR has.
TAKES = {
    "v1": (95, 107, 107),
    "v2": (93, 107, 107),
    "v3": (95, 106, 106),
    "v4": (96, 107, 107),
    "v5": (93, 107, 106),
    "v6": (94, 106, 106),
    "v7": (91, 106, 105),
    "v8": (0, 106, 0),
    "v9": (0, 105, 0),
}
_SECOND_TAKES = 20
_SLOW_HZ = 16.2
# how far a scenario moves a heart rate, in units of the spread between people; v7 comes after rope skipping
_SCENARIO_SHIFT = {"v2": 0.2, "v3": 0.15, "v7": 2.1, "v9": 0.1}
_ABSENT = {
    *((subject, "", 1) for subject in range(97, 108)),
    (84, "v1", 1),
    *((56, scenario, 0) for scenario in ("v6", "v7", "v8", "v9")),
    (42, "v3", 0),
    (45, "v9", 0),
}


@dataclass(frozen=True, slots=True)
class TracePlan:
    """One recording that is to be simulated.

    Parameters
    ----------
    recording_id, subject : str
    number : int
        Of the subject, from 1.
    scenario : str
        ``v1`` to ``v9``, as in VIPL-HR.
    camera : int
        1 webcam, 2 phone, 3 RGB-D camera.
    take : int
    fold : int
    mean_bpm : float
        Mean heart rate of the recording.
    rate_hz : float
        Mean frame rate.
    duration_s : float
    """

    recording_id: str
    subject: str
    number: int
    scenario: str
    camera: int
    take: int
    fold: int
    mean_bpm: float
    rate_hz: float
    duration_s: float


def rates_of_rank(count: int) -> npt.NDArray[np.float64]:
    """Give ``count`` mean heart rates, ascending, spread as those of the videos of VIPL-HR.

    Examples
    --------
    >>> rates = rates_of_rank(2377)
    >>> int((rates < 60).sum()), int(((rates >= 70) & (rates < 80)).sum()), int((rates >= 100).sum())
    (149, 926, 106)
    """
    numbers = np.array(list(VIDEOS_BY_RATE_BPM.values()))
    edges = np.array([*VIDEOS_BY_RATE_BPM, max(VIDEOS_BY_RATE_BPM) + 10], dtype=np.float64)
    share = np.concatenate(([0.0], np.cumsum(numbers) / numbers.sum()))
    return np.interp((np.arange(count) + 0.5) / count, share, edges)


def cast(subjects: int, seed: int, per_subject: int | None, duration_s: float) -> list[TracePlan]:
    """List the recordings of a simulated database in the order of their ids.

    Parameters
    ----------
    subjects : int
        With 107, recordings and folds are those of VIPL-HR: who lacks what is as far known, the rest of the gaps are drawn.
    seed : int
    per_subject : int, optional
        Take this many recordings of each subject, drawn over scenarios and cameras; all where not given.
    duration_s : float
        Usual length; single recordings last 0.9 to 1.2 times as long.

    Examples
    --------
    >>> plans = cast(107, 0, None, 30.0)
    >>> len(plans), len({one.subject for one in plans}), plans[0].recording_id
    (2378, 107, 'p001_v1_source1')
    >>> [one.recording_id for one in cast(1, 0, 3, 30.0)]
    ['p001_v2_source3', 'p001_v3_source2', 'p001_v5_source2']
    """
    random = np.random.default_rng([seed, 1])
    slots = _slots(subjects, random)
    if per_subject is not None:
        slots = [one for number in range(1, subjects + 1) for one in _drawn(slots, number, per_subject, random)]
    rates = _rates(slots, random)
    folds = official_folds() if subjects == SUBJECTS else {}
    poor_light = random.random(subjects + 1) < 0.2
    plans = []
    for (number, scenario, camera, take), mean_bpm in zip(slots, rates.tolist(), strict=True):
        # the webcam slows down in poor light; VIPL-HR has about 16 frames a second in nearly all of v5 and in a fifth of v1
        slow = camera == 1 and (scenario == "v5" or poor_light[number])
        rate_hz = {1: _SLOW_HZ if slow else 25.0, 2: 30.0, 3: 29.9}[camera]
        name = scenario if take == 1 else f"{scenario}-{take}"
        plans.append(
            TracePlan(
                recording_id=f"p{number:03d}_{name}_source{camera}",
                subject=f"p{number:03d}",
                number=number,
                scenario=scenario,
                camera=camera,
                take=take,
                fold=folds.get(number, 1 + (number - 1) % FOLDS),
                mean_bpm=mean_bpm,
                rate_hz=rate_hz,
                duration_s=float(duration_s * random.uniform(0.9, 1.2)),
            )
        )
    return sorted(plans, key=lambda one: one.recording_id)


_Slot = tuple[int, str, int, int]


def _slots(subjects: int, random: np.random.Generator) -> list[_Slot]:
    found: list[_Slot] = []
    for scenario, takes in TAKES.items():
        for camera, count in enumerate(takes, 1):
            there = [number for number in range(1, subjects + 1) if count and not _known_absent(number, scenario, camera)]
            if subjects == SUBJECTS:
                there = sorted(random.choice(there, count, replace=False).tolist())
            found += [(number, scenario, camera, 1) for number in there]
    # 20 second takes in VIPL-HR; of fewer subjects as many as fall to them
    repeated = random.permutation(len(found))[: round(_SECOND_TAKES * subjects / SUBJECTS)]
    found += [(*found[index][:3], 2) for index in repeated.tolist()]
    return sorted(found)


def _known_absent(number: int, scenario: str, camera: int) -> bool:
    return any((number, s, c) in _ABSENT for s in (scenario, "") for c in (camera, 0))


def _drawn(slots: list[_Slot], number: int, count: int, random: np.random.Generator) -> list[_Slot]:
    own = [one for one in slots if one[0] == number]
    return [own[index] for index in sorted(random.permutation(len(own))[:count].tolist())]


def _rates(slots: list[_Slot], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Rank all recordings by what is known to move a heart rate, and hand out the rates by rank."""
    number = np.array([one[0] for one in slots])
    person = random.normal(0, 1.0, int(number.max()) + 1)[number]
    # cameras of one take film the same minute
    drawn: dict[tuple[int, str, int], float] = {}
    day = np.array([drawn.setdefault((n, s, t), float(random.normal(0, 0.6))) for n, s, _, t in slots])
    shift = np.array([_SCENARIO_SHIFT.get(one[1], 0.0) for one in slots])
    rank = person + day + shift + random.normal(0, 0.15, len(slots))
    rates = np.empty(len(slots))
    rates[np.argsort(rank, kind="stable")] = rates_of_rank(len(slots))
    return rates
