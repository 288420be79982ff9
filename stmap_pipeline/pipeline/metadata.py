"""Metadata of each built recording: columns of ``recordings.csv`` about stream, clock and tracking, and notes for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks import Measurement
from stmap_pipeline.faces import TrackingStats
from stmap_pipeline.labels import Labels
from stmap_pipeline.records import BlockTrace, PulseTrace, Recording
from stmap_pipeline.shards import Column
from stmap_pipeline.signals import face_mean, pos, pulse_lag, resample_uniform
from stmap_pipeline.signals.lag import RATE_HZ, Lag
from stmap_pipeline.video import CUT_OFF, FrameStream, is_cut_off
from stmap_pipeline.video.clock import Clock

Metadata = Mapping[str, str | int | float]

METADATA: dict[str, Column] = {
    column.name: column
    for column in (
        Column("codec", "", "codec of the video"),
        Column("pixel_format", "", "pixel format as decoded"),
        Column("width_px", "px", "width after rotation", "int"),
        Column("height_px", "px", "height after rotation", "int"),
        Column("color_matrix", "", "matrix from YCbCr to RGB; rgb or gray where there is none"),
        Column("color_matrix_assumed", "", "1 where the stream names no matrix and BT.601 was assumed", "int"),
        Column("full_range", "", "1 where samples use the full range, 0 for the limited range", "int"),
        Column("rotation_deg", "deg", "counterclockwise turn of the images in all", "int"),
        Column("turned_deg", "deg", "part of it beyond what the video's metadata ask for, by faces.rotate", "int"),
        Column("stream", "", "number of the video stream that was read, from 0: of several the first one in color", "int"),
        Column("streams", "", "video streams in the file", "int"),
        Column("clock", "", "where frame times come from: pts, times_file or constant"),
        Column("container_rate_hz", "Hz", "frame rate in the header; not used for any time", "float"),
        Column("rate_hz", "Hz", "mean frame rate by the recording's clock", "float"),
        Column("interval_min_s", "s", "shortest time between frames", "float"),
        Column("interval_median_s", "s", "median time between frames", "float"),
        Column("interval_max_s", "s", "longest time between frames", "float"),
        Column("decoded_frames", "", "frames decoded, those without a time included", "int"),
        Column("decode_errors", "", "damaged packets that were skipped", "int"),
        Column("cut_off", "", "1 where the file ends before its last frame, by its own index or header", "int"),
        Column(
            "frames_repaired", "", "frames whose time was missing or did not increase, so that they got the nominal interval", "int"
        ),
        Column("frames_surplus", "", "frames beyond the end of the file of frame times, left out", "int"),
        Column("frames_missing", "", "listed frame times without a frame", "int"),
        Column("frames_without_face", "", "frames without landmarks", "int"),
        Column("times_lost", "", "how often the tracked face was lost", "int"),
        Column("restarts", "", "how often tracking restarted on a face that had moved or changed at once", "int"),
        Column("cuts", "", "how often the whole image changed at once; the face after a cut may be another person's", "int"),
        Column(
            "other_face_frames",
            "",
            "frames left without a face because after a loss only another one was found: farther than a face width, or of another size",
            "int",
        ),
        Column(
            "face_changes",
            "",
            "how often such another face stayed, or was in the first place, and is measured since: it may be another person's",
            "int",
        ),
        Column("most_faces", "", "most faces found in one search", "int"),
        Column("image_level", "", "mean gray level of the images, 0 to 255", "float"),
        Column("detector_runs", "", "runs of the face detector", "int"),
        Column("detector_hits", "", "runs that found the face", "int"),
        Column("landmark_runs", "", "runs of the landmark model", "int"),
        Column("heart_rate_from", "", "what the heart rate comes from: heart_rate, rr, ecg or pulse; empty where there is none"),
        Column("heart_rate_trusted_fraction", "1", "share of its samples that are known, and whose two estimators agree", "float"),
        Column(
            "pulse_lag_s",
            "s",
            "how much later the label's pulse is than the pulse in the traces (POS); NaN where not clear",
            "float",
        ),
        Column("pulse_correlation", "1", "correlation of the two at that lag", "float"),
    )
}


# what there is a number of, and what of it
_NOTES = {
    "decode_errors": ("damaged packet", ", skipped"),
    "frames_repaired": ("frame", " without a time that increases, given the nominal interval"),
    "frames_surplus": ("frame", " beyond the end of the file of frame times, left out"),
    "frames_missing": ("listed frame time", " without a frame"),
    "cuts": ("cut", ", after which the face may be another person's"),
    "other_face_frames": ("frame", " with only another face, far from where the face was lost or of another size, left out"),
    "face_changes": ("change", " to another face, which may be another person's, since the one before did not come back"),
}


def notes_of(recording: Recording, labels: Labels, metadata: Metadata) -> tuple[str, ...]:
    """Collect what a user of the recording should know."""
    notes = [*recording.notes, *([recording.clock.note] if recording.clock.note else []), *labels.notes]
    if metadata.get("turned_deg"):
        notes.append(f"the image was turned by {metadata['turned_deg']} degrees counterclockwise")
    if int(metadata.get("streams", 1)) > 1:
        notes.append(f"stream {metadata['stream']} of {metadata['streams']} video streams was read: the first one in color")
    if metadata.get("cut_off"):
        notes.append(f"the video {CUT_OFF}")
    counts = ((int(metadata[name]), *words) for name, words in _NOTES.items())
    return (*notes, *(f"{count} {noun}{'s' if count > 1 else ''}{rest}" for count, noun, rest in counts if count))


def metadata_of(
    recording: Recording, stream: FrameStream, measured: Measurement, stats: TrackingStats
) -> dict[str, str | int | float]:
    """Collect the metadata of a recording that was decoded; the same keys for each, so that they are columns."""
    info = stream.info
    found = {
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "width_px": info.width_px,
        "height_px": info.height_px,
        "color_matrix": info.color_matrix,
        "color_matrix_assumed": int(info.color_matrix_assumed),
        "full_range": int(info.full_range),
        "rotation_deg": info.rotation_deg,
        "turned_deg": 90 * stream.quarter_turns,
        "stream": info.stream,
        "streams": info.streams,
        "container_rate_hz": round(info.container_rate_hz, 6),
        "decoded_frames": stream.decoded,
        "decode_errors": stream.decode_errors,
        "cut_off": int(is_cut_off(recording)),
        **clock_metadata(recording, stream.clock, measured.blocks.times_s),
        "frames_without_face": int((~measured.track.found).sum()),
        **asdict(stats),
    }
    return {name: found[name] for name in METADATA if name in found}


def label_metadata(labels: Labels, blocks: BlockTrace) -> dict[str, str | int | float]:
    """Collect the metadata that depend on the labels, the lag between the label's pulse and that of the traces among them."""
    trace, lag = labels.heart_rate, None
    if labels.pulse is not None and blocks.times_s.size > 1:
        lag = label_lag(blocks, labels.pulse)
    return {
        "heart_rate_from": labels.heart_rate_from,
        "heart_rate_trusted_fraction": float(trace.trusted.mean()) if trace is not None and trace.times_s.size else math.nan,
        "pulse_lag_s": round(lag.lag_s, 4) if lag is not None and lag.clear else math.nan,
        "pulse_correlation": round(lag.correlation, 4) if lag is not None else math.nan,
    }


def label_lag(blocks: BlockTrace, pulse: PulseTrace) -> Lag:
    """Estimate how much later the pulse of a label is than the pulse in the traces (POS)."""
    grid_s, colors = resample_uniform(blocks.times_s, face_mean(blocks), RATE_HZ)
    # a beat darkens the skin, and lifts a contact pulse
    return pulse_lag(grid_s, -pos(colors, RATE_HZ), pulse.times_s, pulse.value)


def clock_metadata(recording: Recording, clock: Clock, times_s: npt.NDArray[np.float64]) -> dict[str, str | int | float]:
    """Collect the metadata that depend on the clock."""
    intervals_s = np.diff(times_s)
    known = (
        (1 / intervals_s.mean(), intervals_s.min(), np.median(intervals_s), intervals_s.max())
        if intervals_s.size
        else (math.nan,) * 4
    )
    rate_hz, interval_min_s, interval_median_s, interval_max_s = (round(float(one), 6) for one in known)
    return {
        "clock": recording.clock.kind,
        "rate_hz": rate_hz,
        "interval_min_s": interval_min_s,
        "interval_median_s": interval_median_s,
        "interval_max_s": interval_max_s,
        "frames_repaired": clock.repaired,
        "frames_surplus": clock.surplus,
        "frames_missing": clock.missing,
    }
