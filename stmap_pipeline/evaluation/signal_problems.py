"""What in a video makes its pulse hard to find, by what was measured: motion, light, compression, missing frames, other faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.backend import STEADY
from stmap_pipeline.records import BlockTrace, LandmarkTrack, duration_s, median_interval_s
from stmap_pipeline.signals.classical import known_runs

FloatArray = npt.NDArray[np.float64]

# A face of people who sit and look at a camera moves by 0.02 to 0.1 of its width in a second; who talks and leans, by 0.2 and more.
_MOVES = 0.15
_DARK, _BRIGHT = 45.0, 245.0
_FEW_FRAMES_HZ = 14.0
# steps between frames that are longer than this many usual ones, and than a quarter of a second, lack frames
_GAP, _GAP_S = 2.5, 0.25
_REPEATED = 0.05
# Bits for each pixel of each frame: H.264 at its default quality (crf 23) has 0.02 to 0.1
_FEW_BITS = 0.03
_SHORT_S = 10.0
_LOST = 0.1
_FEW_PIXELS = 60.0


class SignalProblem(NamedTuple):
    """One property of a video that hides a pulse.

    Parameters
    ----------
    kind : str
        ``motion``, ``dark``, ``overexposed``, ``low_frame_rate``, ``missing_frames``, ``repeated_frames``, ``compression``, ``face_lost``,
        ``several_faces``, ``another_face``, ``small_face``, ``no_color`` or ``short``.
    text : str
        What was measured, and where.
    """

    kind: str
    text: str


def signal_problems(
    blocks: BlockTrace,
    track: LandmarkTrack | None = None,
    attributes: Mapping[str, str | int | float] | None = None,
    repeated: npt.NDArray[np.bool_] | None = None,
) -> tuple[SignalProblem, ...]:
    """List what in a video makes its pulse hard to find.

    Parameters
    ----------
    blocks : BlockTrace
    track : LandmarkTrack, optional
        On the same frames.
    attributes : mapping, optional
        Metadata of the recording, see :mod:`stmap_pipeline.pipeline.metadata`; with ``bits_per_pixel`` where it is known.
    repeated : (T,) array of bool, optional
        Frames that repeat the one before; those whose blocks are all the same do so anyway.

    Returns
    -------
    tuple of SignalProblem
        Those that damage most come first.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> one = example_result(frames=300).blocks
    >>> signal_problems(one)
    ()
    >>> dark = BlockTrace(one.times_s, one.means / 5, one.coverage, one.grid)
    >>> [problem.text for problem in signal_problems(dark)]
    ['the face is dark: mean level 26 of 255']
    """
    known = dict(attributes or {})
    times_s = blocks.times_s
    same = np.append(False, (blocks.means[1:] == blocks.means[:-1]).all(axis=(1, 2)))[: len(times_s)]
    found = [*_frame_problems(times_s, same if repeated is None else same | repeated, known)]
    seen = blocks.valid
    if not seen.any():
        level = float(known.get("image_level", np.nan))
        if level < _DARK:
            # what is dark alone leaves a codec little to write
            others = [one for one in found if one.kind != "compression"]
            found = [SignalProblem("dark", f"the images are dark: mean level {level:.0f} of 255"), *others]
        return tuple(found)
    found += _face_problems(times_s, seen, track, known)
    found += _light_problems(blocks, seen)
    return tuple(found)


def missing_spans_s(times_s: FloatArray) -> list[tuple[float, float]]:
    """List the intervals in which frames are missing.

    Examples
    --------
    >>> missing_spans_s(np.array([0.0, 0.1, 0.2, 2.2, 2.3]))
    [(0.2, 2.2)]
    """
    steps_s = np.diff(times_s)
    if not steps_s.size:
        return []
    gaps = np.flatnonzero(steps_s > max(_GAP * median_interval_s(times_s), _GAP_S))
    return [(float(times_s[one]), float(times_s[one + 1])) for one in gaps]


def _frame_problems(
    times_s: FloatArray, repeated: npt.NDArray[np.bool_], known: Mapping[str, str | int | float]
) -> list[SignalProblem]:
    found: list[SignalProblem] = []
    if len(times_s) < 2:
        return found
    length_s = duration_s(times_s)
    rate_hz = 1 / median_interval_s(times_s)
    if gaps := missing_spans_s(times_s):
        found.append(SignalProblem("missing_frames", f"frames are missing for {_spans_text(gaps)}"))
    if rate_hz < _FEW_FRAMES_HZ:
        found.append(SignalProblem("low_frame_rate", f"only {rate_hz:.1f} frames/s; 15 and more are better, 30 are usual"))
    if repeated.mean() > _REPEATED:
        found.append(SignalProblem("repeated_frames", f"{repeated.mean():.0%} of the frames repeat the one before"))
    bits = float(known.get("bits_per_pixel", np.nan))
    if bits < _FEW_BITS:
        found.append(SignalProblem("compression", f"strong compression: {bits:.3f} bits for each pixel of a frame"))
    if known.get("color_matrix") == "gray":
        found.append(SignalProblem("no_color", "the video is gray, and a pulse is a change of color"))
    if length_s < _SHORT_S - 1e-6:
        found.append(SignalProblem("short", f"only {length_s:.1f} s; {_SHORT_S:g} s and more are better"))
    return found


def _face_problems(
    times_s: FloatArray, seen: npt.NDArray[np.bool_], track: LandmarkTrack | None, known: Mapping[str, str | int | float]
) -> list[SignalProblem]:
    found: list[SignalProblem] = []
    if seen.mean() < 1 - _LOST:
        lost = [(float(times_s[run.start]), float(times_s[min(run.stop, len(times_s) - 1)])) for run in known_runs(~seen)]
        found.append(SignalProblem("face_lost", f"no face is found for {_spans_text(lost)}"))
    if int(known.get("most_faces", 1)) > 1:
        found.append(
            SignalProblem(
                "several_faces", f"{known['most_faces']} faces are in the image; the largest one at the start is measured"
            )
        )
    if int(known.get("face_changes", 0)) > 0:
        found.append(SignalProblem("another_face", "the face that is measured was lost, and another one is measured since"))
    if track is None or not track.found.any():
        return found
    width_px, speed = face_motion(track)
    if speed > _MOVES:
        found.insert(0, SignalProblem("motion", f"the head moves: by {speed:.2f} of the width of the face in a second"))
    if width_px < _FEW_PIXELS:
        found.append(SignalProblem("small_face", f"the face is only {width_px:.0f} pixels wide"))
    return found


def face_motion(track: LandmarkTrack) -> tuple[float, float]:
    """Return the width of the face in pixels, and the typical speed of the head in widths of the face per second.

    Landmarks that speech and blinking move little are looked at, over a fifth of a second, so that their jitter is no motion.

    Parameters
    ----------
    track : LandmarkTrack
        With a face in at least one frame.
    """
    points = track.points_px[track.found][:, STEADY].astype(np.float64)
    times_s = track.times_s[track.found]
    width_px = float(np.median(np.ptp(points[..., 0], axis=1)))
    later = np.searchsorted(times_s, times_s + 0.2)
    pairs = np.flatnonzero((later < len(times_s)) & (times_s[np.minimum(later, len(times_s) - 1)] - times_s < 0.4))
    if not pairs.size:
        return width_px, 0.0
    moved = np.linalg.norm(points[later[pairs]] - points[pairs], axis=2).mean(axis=1)
    speed = moved / (times_s[later[pairs]] - times_s[pairs]) / max(width_px, 1.0)
    return width_px, float(np.sqrt(np.mean(np.square(speed))))


def _light_problems(blocks: BlockTrace, seen: npt.NDArray[np.bool_]) -> list[SignalProblem]:
    levels = blocks.means[seen].astype(np.float64)
    found, level = [], float(np.nanmean(levels))
    if level < _DARK:
        found.append(SignalProblem("dark", f"the face is dark: mean level {level:.0f} of 255"))
    bright = float(np.mean(levels[np.isfinite(levels)] > _BRIGHT))
    if bright > _LOST:
        found.append(SignalProblem("overexposed", f"{bright:.0%} of the face is overexposed"))
    return found


def _spans_text(spans_s: list[tuple[float, float]]) -> str:
    total_s = sum(stop_s - start_s for start_s, stop_s in spans_s)
    where = ", ".join(f"{start_s:.1f} to {stop_s:.1f} s" for start_s, stop_s in spans_s[:3])
    return f"{total_s:.1f} s ({where}{', ...' if len(spans_s) > 3 else ''})"
