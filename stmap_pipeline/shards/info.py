"""What is known of a recording without opening its shard."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A row of ``recordings.csv``: what is known of a recording without opening its shard.

    Parameters
    ----------
    recording_id, subject : str
    fold : int
        From 1; 0 where the database has none.
    scenario, camera : str
    frames : int
    duration_s : float
    heart_rate_min_bpm, heart_rate_mean_bpm, heart_rate_max_bpm : float
        Ground truth during the video; NaN where unknown.
    valid_fraction : float
        Share of frames in which the face was known.
    coverage : float
        Mean share of the blocks' area that was seen.
    notes : str
    attributes : dict
        Facts and quality figures of the build.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> Shards(example_maps()).info("p001_v2").heart_rate_mean_bpm
    96.0
    """

    recording_id: str
    subject: str
    fold: int
    scenario: str
    camera: str
    frames: int
    duration_s: float
    heart_rate_min_bpm: float
    heart_rate_mean_bpm: float
    heart_rate_max_bpm: float
    valid_fraction: float
    coverage: float
    notes: str
    attributes: dict[str, str | int | float] = field(default_factory=dict)
