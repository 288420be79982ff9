"""Quality figures of one recording, measured from its file; ``quality.toml`` has the definition of each."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation import UniformPulse, compare_heart_rate, uniform_pulse
from stmap_pipeline.records import LandmarkTrack, RecordingResult
from stmap_pipeline.report.tables import Field
from stmap_pipeline.shards.tables import Kind
from stmap_pipeline.signals.classical import known_runs

MOTION_LAG_S = 0.5
CLIPPED_BELOW, CLIPPED_ABOVE = 5.0, 250.0
# outer corners of the eyes in the 68-point order
_EYES = (36, 45)


@dataclass(frozen=True, slots=True)
class Metric(Field):
    """One quality figure, defined once for tables, plots and text: an entry of ``quality.toml``.

    Parameters
    ----------
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

    kind: Kind = "float"
    meaning: str = ""
    equation: str = ""
    reading: str = ""
    worst: Literal["low", "high"] = "low"
    reference: str = ""
    limits: tuple[float, float] | None = None

    @property
    def axis(self) -> str:
        """Label of an axis."""
        return f"{self.heading} ({self.unit})" if self.unit not in ("", "1") else self.heading


_DEFINITIONS = tomllib.loads(files("stmap_pipeline.report").joinpath("quality.toml").read_text("utf-8"))
METRICS = tuple(Metric(**one) for one in _DEFINITIONS["metric"])


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
