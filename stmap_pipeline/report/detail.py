"""The section of one recording: its maps, pulse, heart rate, spectrum, the timeline of its face, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation import UniformPulse, detrend, heart_rate_over_time, power_spectrum, uniform_pulse
from stmap_pipeline.evaluation.classical import known_runs
from stmap_pipeline.evaluation.spectrum import BAND_BPM
from stmap_pipeline.maps import normalize_rows, resample_blocks
from stmap_pipeline.maps.color import convert_color
from stmap_pipeline.records import BlockTrace, RecordingResult
from stmap_pipeline.report.face import draw_face
from stmap_pipeline.report.figures import Figure, Line, lines
from stmap_pipeline.report.metrics import METRICS
from stmap_pipeline.report.png import color_picture, level_picture
from stmap_pipeline.report.quality import Quality, measure_quality, motion
from stmap_pipeline.report.svg import element
from stmap_pipeline.report.tables import UNKNOWN, percent

RATE_HZ = 30.0
WINDOW_S = 10.0
THUMB_PX = 75
GREEN = 1


@dataclass(frozen=True, slots=True)
class Detail:
    """What the page shows of one recording.

    Parameters
    ----------
    name : str
        Id on the page and start of the ids of its figures.
    recording_id, verdict : str
    figures : sequence of Figure
    facts : sequence of (str, str)
    notes : sequence of str
    """

    name: str
    recording_id: str
    verdict: str
    figures: Sequence[Figure]
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]


def make_detail(result: RecordingResult, name: str, *, show_faces: bool = False) -> tuple[Quality, str, Detail]:
    """Measure and draw one recording.

    Parameters
    ----------
    result : RecordingResult
    name : str
        Id on the page: letters, digits, ``_`` and ``-``. What belongs to it is named by a dot behind it, so that no two are alike.
    show_faces : bool
        Whether the mean shape of the landmarks is drawn. Shapes of faces are biometric data.

    Returns
    -------
    (Quality, str, Detail)
        The figures, the small map as a data URI (empty where nothing was seen), and the section.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> quality, thumb, detail = make_detail(example_result(frames=300), "r1")
    >>> quality.true_bpm, thumb[:14], [one.title for one in detail.figures][:2]
    (72.0, 'data:image/png', ['Spatial-temporal map', 'Pulse'])
    """
    quality = measure_quality(result)
    pulse = uniform_pulse(result.blocks, rate_hz=RATE_HZ)
    window = _window(result.blocks)
    even = resample_blocks(result.blocks, RATE_HZ) if len(result.blocks.times_s) > 1 else result.blocks
    first_s = float(even.times_s[0]) if len(even.times_s) else 0.0
    part = slice(round((window[0] - first_s) * RATE_HZ), round((window[1] - first_s) * RATE_HZ))
    means = even.means[part]
    flat = _flat(means)
    figures = [
        _draw_maps(f"{name}.map", means, flat, window, quality),
        _draw_pulse(f"{name}.pulse", pulse, window),
        _draw_rates(f"{name}.rate", result, window),
        _draw_spectrum(f"{name}.spectrum", pulse, quality),
        _draw_timeline(f"{name}.face", result),
    ]
    if show_faces:
        figures.append(draw_face(f"{name}.shape", result.track))
    detail = Detail(
        name, quality.recording_id, _verdict(quality, len(result.blocks.times_s)), figures, _facts(result), result.notes
    )
    return quality, _thumb(flat), detail


def _window(blocks: BlockTrace) -> tuple[float, float]:
    times_s = blocks.times_s
    if not len(times_s):
        return 0.0, WINDOW_S
    first_s, last_s = float(times_s[0]), float(times_s[-1])
    seen_s = times_s[blocks.valid]
    start_s = min(float(seen_s[0]) if seen_s.size else first_s, max(first_s, last_s - WINDOW_S))
    return start_s, min(start_s + WINDOW_S, last_s + 1 / RATE_HZ)


def _flat(means: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Take the slow part away from the green channel of each block, and stretch each row to 0..1."""
    rows = means[:, :, GREEN].T.astype(np.float64)
    if not rows.size:
        return rows
    # once leaves a few percent of a breath or of a swaying lamp, which is as much as the pulse has
    flat = np.stack([detrend(detrend(row, RATE_HZ), RATE_HZ) for row in rows])
    return normalize_rows(flat[:, :, None])[:, :, 0] / 255


def _thumb(flat: npt.NDArray[np.float64]) -> str:
    if not np.isfinite(flat).any():
        return ""
    # means of four samples keep the pulse, at 7.5 Hz still twice the fastest
    size = max(1, flat.shape[1] // THUMB_PX)
    known = flat[:, : flat.shape[1] // size * size].reshape(len(flat), -1, size)
    seen = np.isfinite(known)
    total = np.where(seen, known, 0).sum(axis=2)
    small = np.where(seen.any(axis=2), total / np.maximum(seen.sum(axis=2), 1), np.nan)
    return level_picture(normalize_rows(small[:, :, None])[:, :, 0] / 255)


def _draw_maps(
    name: str, means: npt.NDArray[np.float32], flat: npt.NDArray[np.float64], window: tuple[float, float], quality: Quality
) -> Figure:
    caption = (
        "Rows are blocks from forehead to chin, columns are time; gray is where no face was known. Good: in the second picture, stripes run through most rows, "
        "one per beat. Bad: rows of unrelated noise, or broad bands of all rows at once, which are light or motion."
    )
    title = "Spatial-temporal map"
    if not means.size:
        return Figure(name, title, caption, element("p", "No frame to draw.", class_="stack"), wide=True)
    colors = normalize_rows(convert_color(means, "yuv").transpose(1, 0, 2))
    alt = f"{title} of {quality.recording_id}, {window[0]:.1f} s to {window[1]:.1f} s"
    markup = (
        element("p", "Y, U, V as red, green, blue, each row stretched over the window: what a network is given", class_="stack")
        + element("img", class_="map", src=color_picture(colors), alt=alt, width="300", height="150")
        + element("p", "The green channel without what is slower than a pulse", class_="stack strip")
        + element("img", class_="map", src=level_picture(flat), alt=f"{alt}, slow part removed", width="300", height="150")
        + element("p", f"<span>{window[0]:.1f} s</span><span>{window[1]:.1f} s</span>", class_="axisline")
    )
    return Figure(name, title, caption, markup, wide=True)


def _draw_pulse(name: str, pulse: UniformPulse, window: tuple[float, float]) -> Figure:
    inside = (pulse.times_s >= window[0]) & (pulse.times_s < window[1])
    caption = "POS pulse in the window of the map. Good: a regular wave of 0.2 to 1 %. Bad: spikes of several percent (motion), or no rhythm. A break is a gap."
    return lines(
        name,
        "Pulse",
        caption,
        [Line("POS", "s1", pulse.times_s[inside], 100 * pulse.value[inside])],
        x_label="time (s)",
        y_label="POS (%)",
        x_limits=window,
        nothing="no pulse to be seen",
    )


def _draw_rates(name: str, result: RecordingResult, window: tuple[float, float]) -> Figure:
    blocks = result.blocks
    found = heart_rate_over_time(blocks)
    series = []
    if result.heart_rate is not None and result.heart_rate.times_s.size:
        series.append(Line("label", "s2", result.heart_rate.times_s, result.heart_rate.heart_rate_bpm))
    elif result.pulse is not None:
        truth = heart_rate_over_time(result.pulse)
        series.append(Line("pulse label, 6 s windows", "s2", truth.times_s, truth.heart_rate_bpm))
    series.append(Line("POS, 6 s windows", "s1", found.times_s, found.heart_rate_bpm, as_dots=True))
    return lines(
        name,
        "Heart rate over time",
        "Good: the dots lie on the line. Bad: dots far away, or jumping; the peak of the spectrum is then not the pulse.",
        series,
        x_label="time (s)",
        y_label="heart rate (bpm)",
        x_limits=_limits(blocks),
        gaps=_gaps(blocks),
        shades=[(*window, "window of the map")],
        nothing="no heart rate to be seen",
    )


def _draw_spectrum(name: str, pulse: UniformPulse, quality: Quality) -> Figure:
    spectrum = power_spectrum(pulse.value, pulse.rate_hz)
    rates_bpm, power = (spectrum.rates_bpm, spectrum.power / spectrum.power.max()) if spectrum.known else (np.empty(0), np.empty(0))
    rules = [(quality.true_bpm, "s2", f"label {quality.true_bpm:.1f}")] if np.isfinite(quality.true_bpm) else []
    return lines(
        name,
        "Spectrum",
        "Of the POS pulse over the whole recording. Good: one sharp peak at the label. Bad: several peaks alike, or the highest one elsewhere.",
        [Line("", "s1", rates_bpm, power)],
        x_label="rate (bpm)",
        y_label="power",
        x_limits=BAND_BPM,
        y_limits=(0, 1.05),
        rules=rules,
        y_ticks=False,
        nothing="no spectrum: too little was seen",
    )


def _draw_timeline(name: str, result: RecordingResult) -> Figure:
    speed = motion(result.track)
    top = float(np.nanmax(speed)) if np.isfinite(speed).any() else 0.0
    return lines(
        name,
        "Landmarks over time",
        "Speed of the face, and gray where no face was known. Good: a low line without gaps. Bad: gaps, and peaks that the "
        "heart rate above follows.",
        [Line("", "s3", result.track.times_s, speed)],
        x_label="time (s)",
        y_label="motion (eye distances/s)",
        x_limits=_limits(result.blocks),
        y_limits=(0, max(0.2, 1.1 * top)),
        gaps=_gaps(result.blocks),
        nothing="no motion can be told",
    )


def _limits(blocks: BlockTrace) -> tuple[float, float]:
    times_s = blocks.times_s
    return (float(times_s[0]), float(times_s[-1])) if len(times_s) > 1 else (0.0, 1.0)


def _gaps(blocks: BlockTrace) -> list[tuple[float, float]]:
    times_s = blocks.times_s
    return [(float(times_s[run.start]), float(times_s[min(run.stop, len(times_s) - 1)])) for run in known_runs(~blocks.valid)]


def _verdict(one: Quality, frames: int) -> str:
    truth = f"label {one.true_bpm:.1f} bpm" if np.isfinite(one.true_bpm) else "no heart rate is known"
    found = f"POS {one.pos_bpm:.1f} bpm" if np.isfinite(one.pos_bpm) else "POS finds no pulse"
    ratio = f", SNR {METRICS[0].field.show(one.snr_db)} dB" if np.isfinite(one.snr_db) else ""
    return f"{truth}, {found}{ratio}; face known in {percent(one.valid_fraction)} of {frames} frames"


def _facts(result: RecordingResult) -> list[tuple[str, str]]:
    one = result.recording
    pairs = [("subject", one.subject), ("scenario", one.scenario), ("camera", one.camera), ("fold", str(one.fold or UNKNOWN))]
    pairs += [(key, value) for key, value in one.extras.items()]
    pairs += [(key, f"{value:g}" if isinstance(value, float) else str(value)) for key, value in result.attributes.items()]
    return [(key, value if value != "" else UNKNOWN) for key, value in pairs]
