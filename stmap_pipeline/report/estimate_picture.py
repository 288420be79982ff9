"""One picture of an estimate: the pulse, the heart rate of each window with its quality, a spectrum over time, and the spectrum of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stmap_pipeline.errors import ExtraMissingError, OutputError
from stmap_pipeline.evaluation.classical import METHODS
from stmap_pipeline.evaluation.estimate import VideoEstimate
from stmap_pipeline.evaluation.quality import PulseSignals, pulse_signals
from stmap_pipeline.evaluation.spectrum import BAND_BPM, detrend, power_spectrum
from stmap_pipeline.files import atomic_path
from stmap_pipeline.report.picture import ESTIMATE, FORMATS, SHADE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CAPTION = (
    "Good: even beats in the pulse, one bright line through the spectrum over time, filled dots along it.\n"
    "Bad: scattered bright spots, and open dots, whose windows have no rate; gray where nothing is known."
)
# fine enough for a picture of a few hundred dots
_ROWS = 200


def check_picture(path: Path) -> None:
    """Refuse what could not be drawn, before the work is done.

    Raises
    ------
    OutputError
        Where the file's format is unknown.
    ExtraMissingError
        Where matplotlib is not installed.

    Examples
    --------
    >>> check_picture(Path("one.png"))
    """
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path}: a picture is written as one of {', '.join(FORMATS)}; give it such a name")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ExtraMissingError("pictures need matplotlib, which is not installed: pip install 'stmap[plot]'") from None


def draw_estimate(found: VideoEstimate, path: Path, *, dpi: int = 120) -> Path:
    """Draw what an estimate was found in.

    Parameters
    ----------
    found : VideoEstimate
        With its block means.
    path : Path
        A .png, .svg or .pdf file; one that is there is replaced.
    dpi : int

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    OutputError
        Where the file's format is unknown, it cannot be written, or the video was never read.
    ExtraMissingError
        Where matplotlib is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.evaluation.estimate import estimate_blocks
    >>> from stmap_pipeline.maps.example import example_result
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     draw_estimate(estimate_blocks(example_result(frames=450).blocks), Path(folder) / "one.png", dpi=50).name
    'one.png'
    """
    check_picture(path)
    if found.blocks is None:
        raise OutputError(f"{path}: there is nothing to draw of {found.video}: {found.message}")
    from matplotlib.figure import Figure

    signals = pulse_signals(found.blocks, found.method if found.method in METHODS else "pos")
    figure = Figure(figsize=(11, 8.5), layout="constrained")
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 1.6, 1.6), width_ratios=(3, 1.4))
    pulse = figure.add_subplot(grid[0, :])
    over_time = figure.add_subplot(grid[1, 0], sharex=pulse)
    rates = figure.add_subplot(grid[2, 0], sharex=pulse)
    _draw_pulse(pulse, signals)
    _draw_over_time(over_time, signals)
    _draw_rates(rates, found)
    _draw_spectrum(figure.add_subplot(grid[1:, 1]), signals, found)
    figure.suptitle(_title(found), fontsize=12, parse_math=False)
    figure.supxlabel(CAPTION, fontsize=8, color="0.3")
    with atomic_path(path) as temporary:
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
        figure.savefig(temporary, format=path.suffix.lower()[1:], dpi=dpi, metadata=metadata)
    return path


def _title(found: VideoEstimate) -> str:
    name = Path(found.video).name.encode("utf-8", "backslashreplace").decode()
    if found.refused:
        return f"{name}: no heart rate ({found.reason})"
    return f"{name}: {found.heart_rate_bpm:.1f} bpm by {Path(found.method).name}, quality {found.quality:.2f}"


def _draw_pulse(axes: Axes, signals: PulseSignals) -> None:
    axes.plot(signals.times_s, -1000 * detrend(signals.face, signals.rate_hz), color=ESTIMATE, linewidth=0.8)
    for start_s, stop_s in _gaps(signals):
        axes.axvspan(start_s, stop_s, color=SHADE)
    axes.set(xlabel="time (s)", ylabel=f"{signals.method.upper()} pulse (1/1000)", title="Pulse of the face")


def _draw_over_time(axes: Axes, signals: PulseSignals) -> None:
    """Spectra of 6 s, each on its own scale."""
    size, step = int(6 * signals.rate_hz), int(signals.rate_hz)
    grid_bpm = np.linspace(*BAND_BPM, _ROWS)
    starts = range(0, max(1, len(signals.times_s) - size + 1), step)
    picture = np.full((_ROWS, len(starts)), np.nan)
    for column, start in enumerate(starts):
        part = signals.face[start : start + size]
        spectrum = power_spectrum(part, signals.rate_hz)
        if spectrum.known and np.isfinite(part).mean() > 0.5:
            picture[:, column] = np.interp(grid_bpm, spectrum.rates_bpm, np.sqrt(spectrum.power / spectrum.power.max()))
    first_s, half_s = float(signals.times_s[0]) + min(size, len(signals.times_s)) / signals.rate_hz / 2, 0.5
    extent = (first_s - half_s, first_s + (len(starts) - 1) * step / signals.rate_hz + half_s, *BAND_BPM)
    axes.set_facecolor(SHADE)
    axes.imshow(picture, origin="lower", aspect="auto", extent=extent, cmap="viridis", interpolation="nearest")
    axes.set(ylabel="rate (bpm)", title="Spectrum of 6 s over time")


def _draw_rates(axes: Axes, found: VideoEstimate) -> None:
    for one in found.windows:
        center_s, given = (one.start_s + one.stop_s) / 2, np.isfinite(one.heart_rate_bpm)
        if given:
            axes.plot([one.start_s, one.stop_s], [one.heart_rate_bpm] * 2, color=ESTIMATE, linewidth=1, alpha=0.4)
            axes.plot(center_s, one.heart_rate_bpm, "o", color=ESTIMATE, alpha=0.3 + 0.7 * one.quality)
            axes.annotate(
                f"{one.quality:.2f}", (center_s, one.heart_rate_bpm), xytext=(0, 6), textcoords="offset points", ha="center", size=7
            )
        elif np.isfinite(one.quality):
            axes.plot(center_s, BAND_BPM[0] + 5, "o", markerfacecolor="none", color="0.5")
    axes.set(
        ylim=BAND_BPM,
        xlabel="time (s)",
        ylabel="heart rate (bpm)",
        title="Windows with their quality; open dots have no rate",
    )


def _draw_spectrum(axes: Axes, signals: PulseSignals, found: VideoEstimate) -> None:
    spectrum = power_spectrum(signals.face, signals.rate_hz)
    if spectrum.known:
        axes.plot(spectrum.rates_bpm, spectrum.power / spectrum.power.max(), color=ESTIMATE)
    if np.isfinite(found.heart_rate_bpm):
        axes.axvline(found.heart_rate_bpm, color="0.3", linestyle="--", linewidth=1)
    axes.set(xlim=BAND_BPM, xlabel="rate (bpm)", ylabel="power (largest = 1)", title="Spectrum of all of it")


def _gaps(signals: PulseSignals) -> list[tuple[float, float]]:
    known = np.isfinite(signals.face)
    edges = np.flatnonzero(np.diff(np.concatenate(([1], known.astype(np.int8), [1]))))
    last = len(signals.times_s) - 1
    return [(float(signals.times_s[a]), float(signals.times_s[min(b, last)])) for a, b in zip(edges[::2], edges[1::2], strict=True)]
