"""What is told of each built recording beside its samples: notes for people, and facts as columns of ``recordings.csv``."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from stmap_pipeline.blocks import Measurement
from stmap_pipeline.faces import TrackingStats
from stmap_pipeline.labels import Labels
from stmap_pipeline.pipeline.source import source_key
from stmap_pipeline.records import Recording
from stmap_pipeline.shards import Column
from stmap_pipeline.video import FrameStream

Attributes = Mapping[str, str | int | float]

ATTRIBUTES: dict[str, Column] = {
    column.name: column
    for column in (
        Column("source_key", "", "hash of what the listing says and of the sizes of the files; another one means another source"),
        Column("codec", "", "codec of the video"),
        Column("pixel_format", "", "pixel format as decoded"),
        Column("width_px", "px", "width after rotation", "int"),
        Column("height_px", "px", "height after rotation", "int"),
        Column("color_matrix", "", "matrix from YCbCr to RGB; rgb or gray where there is none"),
        Column("color_matrix_assumed", "", "1 where the stream names no matrix and BT.601 was assumed", "int"),
        Column("full_range", "", "1 where samples use the full range, 0 for the limited range", "int"),
        Column("rotation_deg", "deg", "counterclockwise turn that the metadata asked for", "int"),
        Column("clock", "", "where frame times come from: pts, times_file or constant"),
        Column("container_rate_hz", "Hz", "frame rate in the header; not used for any time", "float"),
        Column("rate_hz", "Hz", "mean frame rate by the recording's clock", "float"),
        Column("interval_min_s", "s", "shortest time between frames", "float"),
        Column("interval_median_s", "s", "median time between frames", "float"),
        Column("interval_max_s", "s", "longest time between frames", "float"),
        Column("decoded_frames", "", "frames decoded, those without a time included", "int"),
        Column("decode_errors", "", "damaged packets that were skipped", "int"),
        Column(
            "frames_repaired", "", "frames whose time was missing or did not increase, so that they got the nominal interval", "int"
        ),
        Column("frames_surplus", "", "frames beyond the end of the file of frame times, left out", "int"),
        Column("frames_missing", "", "listed frame times without a frame", "int"),
        Column("frames_without_face", "", "frames in which no face was known", "int"),
        Column("times_lost", "", "how often a face that was followed was lost", "int"),
        Column("restarts", "", "how often tracking began anew on a face that had moved or changed at once", "int"),
        Column("cuts", "", "how often the whole picture changed at once; the face after a cut may be another person's", "int"),
        Column("most_faces", "", "most faces found in one search", "int"),
        Column("detector_runs", "", "runs of the face detector", "int"),
        Column("detector_hits", "", "runs that found the face", "int"),
        Column("landmark_runs", "", "runs of the landmark model", "int"),
        Column(
            "narrow_pictures", "", "frames of which tracking kept less than a box may need; such landmarks are not reused", "int"
        ),
    )
}


_NOTES = {
    "decode_errors": "damaged packets were skipped",
    "frames_repaired": "frames had no increasing time of their own and got the nominal interval",
    "frames_surplus": "frames beyond the end of the file of frame times were left out",
    "frames_missing": "listed frame times have no frame",
    "cuts": "cuts, after which the face may be another person's",
}
_TRACKING = ("times_lost", "restarts", "cuts", "most_faces", "detector_runs", "detector_hits", "landmark_runs", "narrow_pictures")


def notes_of(recording: Recording, labels: Labels, attributes: Attributes) -> tuple[str, ...]:
    """Collect what a user of the recording should know."""
    notes = [*recording.notes, *([recording.clock.note] if recording.clock.note else []), *labels.notes]
    return (*notes, *(f"{attributes[name]} {text}" for name, text in _NOTES.items() if attributes[name]))


def stats_from(attributes: Attributes) -> TrackingStats:
    """Give what tracking did, as far as it was told of a recording.

    Raises
    ------
    KeyError
        Where the attributes are those of another version.
    """
    return TrackingStats(**{name: int(attributes[name]) for name in _TRACKING})


def attributes_of(
    recording: Recording, stream: FrameStream, measured: Measurement, stats: TrackingStats
) -> dict[str, str | int | float]:
    """Collect what is told of each recording; the same keys for each, so that they are columns."""
    info, times_s = stream.info, measured.blocks.times_s
    intervals_s = np.diff(times_s)
    found = measured.track.found
    return {
        "source_key": source_key(recording),
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "width_px": info.width_px,
        "height_px": info.height_px,
        "color_matrix": info.color_matrix,
        "color_matrix_assumed": int(info.color_matrix_assumed),
        "full_range": int(info.full_range),
        "rotation_deg": info.rotation_deg,
        "clock": recording.clock.kind,
        "container_rate_hz": _rounded(info.container_rate_hz),
        "rate_hz": _rounded(1 / float(intervals_s.mean())) if intervals_s.size else math.nan,
        "interval_min_s": _rounded(float(intervals_s.min())) if intervals_s.size else math.nan,
        "interval_median_s": _rounded(float(np.median(intervals_s))) if intervals_s.size else math.nan,
        "interval_max_s": _rounded(float(intervals_s.max())) if intervals_s.size else math.nan,
        "decoded_frames": stream.decoded,
        "decode_errors": stream.decode_errors,
        "frames_repaired": stream.clock.repaired,
        "frames_surplus": stream.clock.surplus,
        "frames_missing": stream.clock.missing,
        "frames_without_face": int((~found).sum()),
        **{name: getattr(stats, name) for name in _TRACKING},
    }


def _rounded(value: float) -> float:
    return round(value, 6)
