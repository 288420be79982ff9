"""The section of one recording: its maps, pulse, heart rate, spectrum, the timeline of its face, and its metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.evaluation import UniformPulse, detrend, heart_rate_over_time, power_spectrum, uniform_pulse
from stmap_pipeline.labels import span_problem
from stmap_pipeline.maps import normalize_rows, resample_blocks
from stmap_pipeline.maps.color import convert_color
from stmap_pipeline.records import BlockTrace, LandmarkTrack, Recording, RecordingResult
from stmap_pipeline.records.traces import LABEL_PROBLEMS
from stmap_pipeline.report.charts import Chart, Image, Line, Panel, around, line_chart, outline, png
from stmap_pipeline.report.face_outline import contours, face_crop, face_sketch
from stmap_pipeline.report.quality import METRICS, Quality, measure_quality, motion
from stmap_pipeline.report.tables import UNKNOWN, percent
from stmap_pipeline.signals.classical import known_runs
from stmap_pipeline.signals.spectrum import BAND_BPM

FloatArray = npt.NDArray[np.float64]
Span = tuple[float, float]

RATE_HZ = 30.0
WINDOW_S = 10.0
THUMB_PX = 75
GREEN = 1
NO_VIDEO = "No frame is shown: the folder of the videos was not given (--source), or does not list this recording."
# color and entry in the legend
GAP = ("gap", "no face known")


@dataclass(frozen=True, slots=True)
class RecordingSection:
    """What the page shows of one recording.

    Parameters
    ----------
    name : str
        Id on the page and start of the ids of its figures.
    recording_id, summary : str
    images : sequence of Image
        Maps.
    charts : mapping of str to Chart or None
        By the names that the template gives them.
    facts : sequence of (str, str)
    notes : sequence of str
        What a user should know of it, and why windows of it have no heart rate.
    sketch : str
        SVG of where its blocks lie on a face, not its own.
    face : Image or str
        A frame with the grid on it, or why there is none; empty where none was asked for.
    """

    name: str
    recording_id: str
    summary: str
    images: Sequence[Image]
    charts: Mapping[str, Chart | None]
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]
    sketch: str
    face: Image | str = ""


def examine_recording(
    result: RecordingResult,
    name: str,
    blocks: BlocksConfig,
    *,
    problems: Counter[str] | None = None,
    show_faces: bool = False,
    listed: Recording | None = None,
) -> tuple[Quality, str, RecordingSection]:
    """Measure and draw one recording.

    Parameters
    ----------
    result : RecordingResult
    name : str
        Id on the page, without a colon: its figures are named by one behind it, so that no two ids are alike.
    blocks : BlocksConfig
        Settings of the build: they say where the blocks lie.
    problems : Counter, optional
        Its windows by the code of why they have no heart rate; see :func:`~stmap_pipeline.shards.notes.label_problems_by_recording`.
    show_faces : bool
        Whether the mean shape of the landmarks is drawn, and a frame with the face. Both are biometric data.
    listed : Recording, optional
        The recording with the path of its video; without it no frame can be shown.

    Returns
    -------
    (Quality, str, RecordingSection)
        The quality figures, the small map as a data URI (empty where no face was seen), and the section.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> quality, thumb, section = examine_recording(example_result(frames=300), "r1", BlocksConfig())
    >>> quality.true_bpm, thumb[:14], section.charts["spectrum"].text
    (72.0, 'data:image/png', '...Marked: label 72.0.')
    """
    result = with_usable_clock(result)
    pulse, speed = uniform_pulse(result.blocks), motion(result.track)
    quality = measure_quality(result, pulse, speed)
    gaps = gaps_s(result.blocks)
    window = _window(result.blocks, gaps)
    means = _means_in(result.blocks, window)
    flat = _without_trend(means)
    charts = {
        "map": None if means.size else Chart("No frame to draw."),
        "pulse": line_chart(pulse_panel(result, pulse, window)),
        "rate": line_chart(rate_panel(result, pulse, window, gaps)),
        "spectrum": line_chart(spectrum_panel(pulse, quality.true_bpm)),
        "motion": line_chart(_motion_panel(result, speed, gaps)),
        "shape": face_chart(result.track) if show_faces else None,
    }
    images = _map_images(means, flat, window, quality.recording_id) if means.size else []
    summary = _summary(quality, len(result.blocks.times_s))
    notes = [*result.notes, *_label_notes(problems or Counter())]
    face: Image | str = ""
    if show_faces:
        face = face_crop(result, listed, blocks) if listed is not None else NO_VIDEO
    sketch = face_sketch(result.blocks.grid, blocks.height_factor)
    section = RecordingSection(name, quality.recording_id, summary, images, charts, _facts(result), notes, sketch, face)
    return quality, _thumb(flat), section


def with_usable_clock(result: RecordingResult) -> RecordingResult:
    """Return a recording whose times do not leap; one whose times do is returned without frames and with a note.

    A report computes on uniform clocks, whose size grows with the span of the times. Builds refuse such recordings; outputs of other
    programs or versions may hold them.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> one = example_result(frames=60)
    >>> times_s = np.append(one.blocks.times_s[:-1], 1.6e9)
    >>> leaping = replace(one, blocks=replace(one.blocks, times_s=times_s), track=replace(one.track, times_s=times_s))
    >>> len(with_usable_clock(one).blocks.times_s), len(with_usable_clock(leaping).blocks.times_s)
    (60, 0)
    """
    problem = span_problem(result.blocks.times_s)
    if not problem:
        return result
    blocks, track = result.blocks, result.track
    return replace(
        result,
        blocks=BlockTrace(blocks.times_s[:0], blocks.means[:0], blocks.coverage[:0], blocks.grid),
        track=LandmarkTrack(track.times_s[:0], track.points_px[:0], track.score[:0]),
        notes=(*result.notes, f"nothing is computed: {problem}"),
    )


def _window(blocks: BlockTrace, gaps: Sequence[Span]) -> Span:
    """Choose the first ten seconds with a face."""
    times_s = blocks.times_s
    if not len(times_s):
        return 0.0, WINDOW_S
    first_s, last_s = float(times_s[0]), float(times_s[-1])
    seen_s = gaps[0][1] if gaps and gaps[0][0] == first_s else first_s
    start_s = min(seen_s, max(first_s, last_s - WINDOW_S))
    return start_s, min(start_s + WINDOW_S, last_s + 1 / RATE_HZ)


def _means_in(blocks: BlockTrace, window: Span) -> npt.NDArray[np.float32]:
    first, last = np.searchsorted(blocks.times_s, window)
    part = BlockTrace(blocks.times_s[first:last], blocks.means[first:last], blocks.coverage[first:last], blocks.grid)
    return resample_blocks(part, RATE_HZ).means if last - first > 1 else part.means


def _without_trend(means: npt.NDArray[np.float32]) -> FloatArray:
    """Remove what is slower than a pulse from the green channel of each block, and stretch each row to 0..1."""
    green = means[:, :, GREEN].T.astype(np.float64)
    if not green.size:
        return green
    # once leaves a few percent of a breath or of a swaying lamp, which is as much as the pulse has
    flat = detrend(detrend(green, RATE_HZ), RATE_HZ)
    return normalize_rows(flat[:, :, None])[:, :, 0] / 255


def _thumb(flat: FloatArray) -> str:
    if not np.isfinite(flat).any():
        return ""
    # means of four samples keep the pulse, at 7.5 Hz still twice the fastest
    size = max(1, flat.shape[1] // THUMB_PX)
    known = flat[:, : flat.shape[1] // size * size].reshape(len(flat), -1, size)
    seen = np.isfinite(known)
    total = np.where(seen, known, 0).sum(axis=2)
    small = np.where(seen.any(axis=2), total / np.maximum(seen.sum(axis=2), 1), np.nan)
    return png(normalize_rows(small[:, :, None])[:, :, 0] / 255)


def _map_images(means: npt.NDArray[np.float32], flat: FloatArray, window: Span, recording_id: str) -> list[Image]:
    colors = normalize_rows(convert_color(means, "yuv").transpose(1, 0, 2)) / 255
    span = f"{window[0]:.1f} s to {window[1]:.1f} s"
    alt = f"Spatial-temporal map of {recording_id}, {span}"
    return [
        Image(png(colors), alt, f"Y, U, V as red, green, blue, each row stretched over {span}: what a network is given"),
        Image(png(flat), f"{alt}, slow part removed", "The green channel without what is slower than a pulse"),
    ]


def pulse_panel(result: RecordingResult, pulse: UniformPulse, window: Span, method: str = "pos") -> Panel:
    """Return the pulse in the window of the map, and over it that of the contact sensor where there is one.

    The estimate is inverted, since a beat darkens the skin and lifts a contact pulse. The contact pulse, without what is slower than
    a pulse, is scaled to the deviation of the estimate; its times stay as they are.
    """
    inside = (pulse.times_s >= window[0]) & (pulse.times_s < window[1])
    found = -100 * pulse.value[inside]
    lines = [Line(method.upper(), "s1", pulse.times_s[inside], found)]
    contact = None if result.pulse is None else uniform_pulse(result.pulse)
    if contact is not None:
        inside = (contact.times_s >= window[0]) & (contact.times_s < window[1])
        wave = detrend(contact.value[inside], contact.rate_hz)
        height, unit = (float(np.nanstd(one)) if np.isfinite(one).any() else 0.0 for one in (found, wave))
        if unit > 0:
            lines.append(Line("contact pulse, scaled", "s2", contact.times_s[inside], wave / unit * (height or 1.0)))
    return Panel(lines, "time (s)", f"{method.upper()} pulse, inverted (%)", window, nothing="There is no pulse to be seen.")


def rate_panel(result: RecordingResult, pulse: UniformPulse, window: Span, gaps: Sequence[Span], method: str = "pos") -> Panel:
    """Return heart rate over time: of the label and of the pulse."""
    found = heart_rate_over_time(pulse)
    lines = [Line(name, "s2", times_s, rates_bpm) for name, times_s, rates_bpm in _labeled_rates(result)]
    lines.append(Line(f"{method.upper()}, 6 s windows", "s1", found.times_s, found.heart_rate_bpm, dots=True))
    return Panel(
        lines,
        "time (s)",
        "heart rate (bpm)",
        _limits(result.blocks),
        around(*(one.y for one in lines), margin=0.05, least=20),
        spans=[(*window, "shade", "window of the map"), *((*one, *GAP) for one in gaps)],
        nothing="There is no heart rate to be seen.",
    )


def spectrum_panel(pulse: UniformPulse, true_bpm: float) -> Panel:
    """Return the spectrum of the pulse of the whole recording."""
    spectrum = power_spectrum(pulse.value, pulse.rate_hz)
    return Panel(
        [Line("", "s1", spectrum.rates_bpm, spectrum.power / spectrum.power.max())] if spectrum.known else [],
        "rate (bpm)",
        "power (largest = 1)",
        BAND_BPM,
        (0, 1.05),
        marks=[(true_bpm, "s2", f"label {true_bpm:.1f}")] if np.isfinite(true_bpm) else [],
        nothing="There is no spectrum: too little was seen.",
    )


def _motion_panel(result: RecordingResult, speed: FloatArray, gaps: Sequence[Span]) -> Panel:
    top = float(np.nanmax(speed)) if np.isfinite(speed).any() else 0.0
    return Panel(
        [Line("", "s3", result.track.times_s, speed)],
        "time (s)",
        "motion (eye distances/s)",
        _limits(result.blocks),
        (0, max(0.2, 1.1 * top)),
        spans=[(*one, *GAP) for one in gaps],
        nothing="No motion can be measured.",
    )


def _limits(blocks: BlockTrace) -> Span:
    times_s = blocks.times_s
    return (float(times_s[0]), float(times_s[-1])) if len(times_s) > 1 else (0.0, 1.0)


def _labeled_rates(result: RecordingResult) -> list[tuple[str, FloatArray, FloatArray]]:
    """List what the labels say of the heart rate over time, by name: times and rates; nothing where there is no label."""
    if result.heart_rate is not None and result.heart_rate.times_s.size:
        return [("label", result.heart_rate.times_s, result.heart_rate.heart_rate_bpm)]
    if result.pulse is not None:
        truth = heart_rate_over_time(result.pulse)
        return [("pulse label, 6 s windows", truth.times_s, truth.heart_rate_bpm)]
    return []


def gaps_s(blocks: BlockTrace) -> list[Span]:
    """List the stretches without a known face by their ends in seconds."""
    times_s = blocks.times_s
    return [(float(times_s[run.start]), float(times_s[min(run.stop, len(times_s) - 1)])) for run in known_runs(~blocks.valid)]


def _summary(one: Quality, frames: int) -> str:
    truth = f"label {one.true_bpm:.1f} bpm" if np.isfinite(one.true_bpm) else "no heart rate is known"
    found = f"POS {one.pos_bpm:.1f} bpm" if np.isfinite(one.pos_bpm) else "POS finds no pulse"
    ratio = f", SNR {METRICS[0].show(one.snr_db)} dB" if np.isfinite(one.snr_db) else ""
    return f"{truth}, {found}{ratio}; face known in {percent(one.valid_fraction)} of {frames} frames"


def _label_notes(problems: Counter[str]) -> list[str]:
    """Write why windows of a recording have no heart rate."""
    total = problems.total()
    return [
        f"{count} of {total} windows have no heart rate: {code}, {LABEL_PROBLEMS.get(code, 'an unknown reason')}"
        for code, count in problems.most_common()
        if code
    ]


def _facts(result: RecordingResult) -> list[tuple[str, str]]:
    one = result.recording
    pairs = [("subject", one.subject), ("scenario", one.scenario), ("camera", one.camera), ("fold", str(one.fold or UNKNOWN))]
    pairs += [(key, value) for key, value in one.extras.items()]
    pairs += [(key, f"{value:g}" if isinstance(value, float) else str(value)) for key, value in result.attributes.items()]
    return [(key, value if value != "" else UNKNOWN) for key, value in pairs]


def mean_shape(track: LandmarkTrack) -> FloatArray | None:
    """Average the landmarks after shift, turn and size were removed; the eyes lie level, one unit apart.

    Returns
    -------
    (68, 2) array, or None
        None where no frame has a face.

    Examples
    --------
    >>> track = LandmarkTrack(np.arange(2.0), np.full((2, 68, 2), np.nan, np.float32), np.full(2, np.nan, np.float32))
    >>> mean_shape(track) is None
    True
    """
    points = track.points_px[track.found].astype(np.float64)
    # y points down: a plane of complex numbers turns all the same
    flat = points[:, :, 0] + 1j * points[:, :, 1]
    left, right = flat[:, 36:42].mean(axis=1), flat[:, 42:48].mean(axis=1)
    apart = right - left
    usable = np.abs(apart) > 0
    if not usable.any():
        return None
    shape = ((flat - ((left + right) / 2)[:, None])[usable] / apart[usable, None]).mean(axis=0)
    return np.stack([shape.real, shape.imag], axis=1)


def face_chart(track: LandmarkTrack) -> Chart:
    """Draw the mean shape of the landmarks, which is biometric data.

    Examples
    --------
    >>> track = LandmarkTrack(np.arange(1.0), np.full((1, 68, 2), np.nan, np.float32), np.full(1, np.nan, np.float32))
    >>> face_chart(track).text
    'No face was known.'
    """
    shape = mean_shape(track)
    if shape is None:
        return Chart("No face was known.")
    return outline("Contours of jaw, brows, nose, eyes and mouth.", contours(shape))
