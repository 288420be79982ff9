"""Quality figures of one recording: the definition of each, and its measurement from the file of the recording."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation import UniformPulse, compare_heart_rate, uniform_pulse
from stmap_pipeline.records import LandmarkTrack, RecordingResult
from stmap_pipeline.report.tables import Field
from stmap_pipeline.signals.classical import known_runs

MOTION_LAG_S = 0.5
CLIPPED_BELOW, CLIPPED_ABOVE = 5.0, 250.0
# outer corners of the eyes in the 68-point order
_EYES = (36, 45)


@dataclass(frozen=True, slots=True)
class Metric:
    """One quality figure, defined once for tables, plots and text.

    Parameters
    ----------
    field : Field
        Its column in the table.
    meaning : str
        The definition in words.
    equation : str
    reading : str
        What good and bad look like.
    worst : {"low", "high"}
        At which end the worst recordings lie.
    reference : str
        Whose definition it is; empty for our own.
    limits : (float, float), optional
        Natural ends of its axis.
    """

    field: Field
    meaning: str
    equation: str
    reading: str
    worst: Literal["low", "high"]
    reference: str = ""
    limits: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """Key of the figure in a row."""
        return self.field.name

    @property
    def axis(self) -> str:
        """Label of an axis."""
        return f"{self.field.heading} ({self.field.unit})" if self.field.unit not in ("", "1") else self.field.heading


METRICS: tuple[Metric, ...] = (
    Metric(
        Field(
            "snr_db", "pulse SNR", "dB", "power of the POS pulse at the labeled rate and its double over the rest", "float", 1, True
        ),
        "Power P of the POS pulse within 6 bpm of the labeled heart rate f and of its double, over all other power between 40 and 240 bpm. "
        "Without a label the estimate takes its place: the figure then says how sharp the peak is, not whether it is right.",
        "SNR = 10 log\u2081\u2080 (∑ P near f and 2f / ∑ P elsewhere)",
        "Good: above 0 dB, the pulse outweighs all else. Bad: below about -5 dB the peak is one of many, and a network sees no clearer pulse.",
        "low",
        "de Haan, Jeanne: Robust pulse rate from chrominance-based rPPG. IEEE Trans. Biomed. Eng. 60 (2013). Pulse: Wang et al.: "
        "Algorithmic principles of remote PPG. IEEE Trans. Biomed. Eng. 64 (2017).",
    ),
    Metric(
        Field("abs_error_bpm", "POS against label", "bpm", "distance of the POS estimate from the label", "float", 1),
        "Distance between the labeled heart rate and the highest peak of the POS spectrum over the whole recording. The label is the mean "
        "heart rate; where there is a pulse wave alone, its own highest peak.",
        "e = |f(POS) - f(label)|",
        "Good: below 3 bpm. Bad: tens of bpm; either no pulse is to be seen, or label and video do not belong together.",
        "high",
        limits=(0, 5),
        reference="Wang, den Brinker, Stuijk, de Haan: Algorithmic principles of remote PPG. IEEE Trans. Biomed. Eng. 64 (2017).",
    ),
    Metric(
        Field("coverage", "face coverage", "1", "mean share of the blocks' area that was seen", "float", 3),
        "Mean share of the area of a block that lay inside the image and the mask; 0 in a frame without a face.",
        "c = mean over frames t and blocks n of (area seen(t, n) / area(n))",
        "Good: 1. Bad: less than 0.9; the face leaves the image or is lost.",
        "low",
        limits=(0, 1),
    ),
    Metric(
        Field("longest_gap_s", "longest gap", "s", "longest stretch without a known face", "float", 1),
        "The longest stretch of frames in which the face was not known, from its first frame to the next one with a face.",
        "g = max over gaps of (t(end) - t(begin))",
        "Good: 0. Bad: seconds; windows that reach into a gap lack samples, and training leaves them out.",
        "high",
        limits=(0, 1),
    ),
    Metric(
        Field("jitter_percent", "clock jitter", "%", "standard deviation of the time between frames over its mean", "float", 1),
        "Standard deviation of the time from one frame to the next, as a share of its mean.",
        "j = 100 · SD(Δt) / mean(Δt)",
        "Good: a few percent. Bad: tens of percent; frames were dropped, and a heart rate that is counted in frames instead of seconds is wrong.",
        "high",
        limits=(0, 1),
    ),
    Metric(
        Field(
            "motion_per_s",
            "motion",
            "eye distances/s",
            "median speed of the face in distances between the outer eye corners",
            "float",
            2,
        ),
        "Median speed of the center x of the landmarks over half a second, in distances d between the outer corners of the eyes.",
        "m = median over t of |x(t + τ) - x(t)| / (τ d),  τ = 0.5 s",
        "Good: below 0.1, a person who sits still. Bad: above 0.5; light moves over the skin and hides the pulse.",
        "high",
        limits=(0, 0.1),
    ),
    Metric(
        Field(
            "clipped_fraction",
            "clipped blocks",
            "1",
            "share of block means below 5 or above 250 gray levels in any channel",
            "float",
            3,
        ),
        "Share of block means r in which a channel is below 5 or above 250 of 255 gray levels. Single pixels are not stored; a mean "
        "so near to an end stands for many pixels that were cut off there.",
        "k = share of r(t, n) outside [5, 250]",
        "Good: 0. Bad: more than a few percent; over- or underexposed skin carries no pulse.",
        "high",
        limits=(0, 0.01),
    ),
)


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one recording; NaN where one cannot be measured.

    Parameters
    ----------
    recording_id, subject, scenario, camera : str
    fold : int
    duration_s : float
    coverage, valid_fraction : float
        Shares, 0 to 1.
    longest_gap_s : float
    gaps : int
    jitter_percent, motion_per_s, clipped_fraction, snr_db : float
        As :data:`METRICS` defines them.
    true_bpm, pos_bpm, error_bpm : float
    truth : str
        Which label the truth comes from.
    """

    recording_id: str
    subject: str
    scenario: str
    camera: str
    fold: int
    duration_s: float
    coverage: float
    valid_fraction: float
    longest_gap_s: float
    gaps: int
    jitter_percent: float
    motion_per_s: float
    clipped_fraction: float
    snr_db: float
    true_bpm: float
    pos_bpm: float
    error_bpm: float
    truth: str

    @property
    def abs_error_bpm(self) -> float:
        """Distance of POS from the label."""
        return abs(self.error_bpm)

    def row(self) -> dict[str, Any]:
        """Return the row of the table of recordings."""
        return {**asdict(self), "abs_error_bpm": self.abs_error_bpm}


def measure_quality(
    result: RecordingResult, pulse: UniformPulse | None = None, speed: npt.NDArray[np.float64] | None = None
) -> Quality:
    """Measure one recording.

    Parameters
    ----------
    result : RecordingResult
    pulse : UniformPulse, optional
        Its POS pulse, where it was extracted before.
    speed : (T,) array, optional
        Of :func:`motion`, likewise.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> one = measure_quality(example_result(frames=300, lost=slice(100, 130)))
    >>> one.gaps, round(one.longest_gap_s, 2), one.valid_fraction
    (1, 1.0, 0.9)
    """
    blocks, one = result.blocks, result.recording
    times_s, valid = blocks.times_s, blocks.valid
    intervals_s = np.diff(times_s)
    interval_s = float(np.median(intervals_s)) if intervals_s.size else float("nan")
    gaps = known_runs(~valid)
    ends_s = np.append(times_s, times_s[-1:] + interval_s)
    row = compare_heart_rate(result, pulse=pulse or uniform_pulse(blocks))
    speed = motion(result.track) if speed is None else speed
    known_speed = speed[np.isfinite(speed)]
    seen = np.asarray(np.isfinite(blocks.means).all(axis=2))
    clipped = np.asarray(((blocks.means < CLIPPED_BELOW) | (blocks.means > CLIPPED_ABOVE)).any(axis=2))
    return Quality(
        recording_id=one.recording_id,
        subject=one.subject,
        scenario=one.scenario,
        camera=one.camera,
        fold=one.fold or 0,
        duration_s=float(ends_s[-1] - ends_s[0]) if intervals_s.size else float("nan"),
        coverage=float(blocks.coverage.mean(dtype=np.float64)) if blocks.coverage.size else float("nan"),
        valid_fraction=float(valid.mean()) if valid.size else float("nan"),
        longest_gap_s=max((float(ends_s[gap.stop] - ends_s[gap.start]) for gap in gaps), default=0.0),
        gaps=len(gaps),
        jitter_percent=float(100 * intervals_s.std() / intervals_s.mean()) if intervals_s.size else float("nan"),
        motion_per_s=float(np.median(known_speed)) if known_speed.size else float("nan"),
        clipped_fraction=float(clipped[seen].mean()) if seen.any() else float("nan"),
        snr_db=row.snr_db,
        true_bpm=row.true_bpm,
        pos_bpm=row.estimated_bpm,
        error_bpm=row.error_bpm,
        truth=row.truth,
    )


def motion(track: LandmarkTrack) -> npt.NDArray[np.float64]:
    """Compute the speed of the face in its own size per second, over half a second around each frame.

    Parameters
    ----------
    track : LandmarkTrack

    Returns
    -------
    (T,) array of float64
        Movement of the center of all landmarks, divided by the median distance of the outer corners of the eyes; NaN where
        the face is not known at both ends.

    Examples
    --------
    >>> points = np.zeros((31, 68, 2), np.float32)
    >>> points[:, 45, 0] = 50
    >>> points[:, :, 1] = np.arange(31)[:, None]
    >>> motion(LandmarkTrack(np.arange(31) / 30, points, np.ones(31, np.float32)))[15].round(2).item()
    0.6
    """
    times_s = np.asarray(track.times_s, dtype=np.float64)
    eyes = np.linalg.norm(track.points_px[:, _EYES[0]].astype(np.float64) - track.points_px[:, _EYES[1]], axis=1)
    # the median of none known would warn
    size = float(np.median(eyes[np.isfinite(eyes)])) if np.isfinite(eyes).any() else float("nan")
    if len(times_s) < 2 or not size > 0:
        return np.full(len(times_s), np.nan)
    center = track.points_px.mean(axis=1, dtype=np.float64)
    before = np.searchsorted(times_s, times_s - MOTION_LAG_S / 2, side="left")
    after = np.minimum(np.searchsorted(times_s, times_s + MOTION_LAG_S / 2, side="left"), len(times_s) - 1)
    passed_s = times_s[after] - times_s[before]
    way = np.linalg.norm(center[after] - center[before], axis=1)
    return np.asarray(way / np.where(passed_s > 0, passed_s, np.nan) / size)
