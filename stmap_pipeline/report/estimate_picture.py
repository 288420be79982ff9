"""Plot of the estimate of a video: pulse wave with its beats, heart rate over time with its probability, face, and spectrum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.errors import OutputError
from stmap_pipeline.evaluation.video_estimate import VideoEstimate
from stmap_pipeline.report.face_outline import sketch_corners
from stmap_pipeline.report.pictures import ESTIMATE, SHADE, TRUTH, check_picture, draw_outline, new_figure, save_figure
from stmap_pipeline.signals import power_spectrum
from stmap_pipeline.signals.classical import known_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CAPTION = (
    "Good: even beats, a narrow dark line along which the dots lie, one peak in the spectrum, attention on skin.\n"
    "Bad: a wave without order, color at many rates, open dots, which are guesses; gray where no face is known."
)


def draw_estimate(found: VideoEstimate, path: str | Path, *, dpi: int = 120) -> Path:
    """Draw what an estimate was found in.

    Parameters
    ----------
    found : VideoEstimate
        With its block means.
    path : str or Path
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
    path = Path(path)
    check_picture(path)
    if found.blocks is None:
        raise OutputError(f"{path}: there is nothing to draw of {found.video}: {found.message}")
    figure = new_figure(11, 7.5)
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 2), width_ratios=(3, 1.3))
    wave = figure.add_subplot(grid[0, 0])
    rates = figure.add_subplot(grid[1, 0], sharex=wave)
    _draw_wave(wave, found)
    _draw_rates(rates, found)
    _draw_face(figure.add_subplot(grid[0, 1]), found)
    _draw_spectrum(figure.add_subplot(grid[1, 1]), found)
    figure.suptitle(_title(found), fontsize=12, parse_math=False)
    figure.supxlabel(CAPTION, fontsize=8, color="0.3")
    save_figure(figure, path, dpi)
    return path


def _title(found: VideoEstimate) -> str:
    name = Path(found.video).name.encode("utf-8", "backslashreplace").decode()
    if found.refused:
        return f"{name}: no heart rate ({found.reason})"
    return (
        f"{name}: {found.heart_rate_bpm:.1f} bpm ({found.low_bpm:.0f} to {found.high_bpm:.0f}) by {Path(found.method).name}, "
        f"probability {found.probability:.2f}{' in daily life' if found.usual else ''}"
    )


def _draw_wave(axes: Axes, found: VideoEstimate) -> None:
    axes.set(ylabel="pulse", title="Pulse wave, with its beats where the rate is given", yticks=[])
    assert found.blocks is not None  # noqa: S101
    times_s, unknown = found.blocks.times_s, ~found.blocks.valid
    for run in known_runs(unknown):
        axes.axvspan(times_s[run.start], times_s[min(run.stop, len(times_s) - 1)], color=SHADE)
    if found.pulse is None or not len(found.pulse.times_s):
        return
    axes.plot(found.pulse.times_s, found.pulse.value, color=ESTIMATE, linewidth=0.8)
    if found.beats is not None and len(found.beats.times_s):
        known = np.isfinite(found.pulse.value)
        heights = np.interp(found.beats.times_s, found.pulse.times_s[known], found.pulse.value[known])
        axes.plot(found.beats.times_s, heights, ".", color=TRUTH, markersize=5)


def _draw_rates(axes: Axes, found: VideoEstimate) -> None:
    """Draw the probability of each rate over time, and the rate with its interval of 90 %."""
    axes.set(
        xlabel="time (s)",
        ylabel="heart rate (bpm)",
        title="Probability of each rate over time; bars hold 90 %, open dots are guesses",
    )
    axes.set_facecolor(SHADE)
    if found.path is None or not found.windows:
        return
    centers_s = np.array([(one.start_s + one.stop_s) / 2 for one in found.windows])
    rates_bpm = found.path.rates_bpm
    middles_s = (centers_s[1:] + centers_s[:-1]) / 2
    edges_s = np.concatenate([[found.windows[0].start_s], middles_s, [found.windows[-1].stop_s]])
    edges_bpm = np.append(rates_bpm - 0.5, rates_bpm[-1] + 0.5)
    seen = np.array([np.isfinite(one.guess_bpm) for one in found.windows])
    probability = np.where(seen[:, None], found.path.probability, np.nan)
    axes.pcolormesh(edges_s, edges_bpm, np.sqrt(probability.T), cmap="Blues", vmin=0, vmax=1, rasterized=True)
    for center_s, one in zip(centers_s, found.windows, strict=True):
        if not np.isfinite(one.guess_bpm):
            continue
        given = np.isfinite(one.heart_rate_bpm)
        axes.plot([center_s, center_s], [one.low_bpm, one.high_bpm], color=TRUTH, linewidth=1, alpha=0.8 if given else 0.3)
        axes.plot(center_s, one.guess_bpm, "o", color=TRUTH, markersize=4, markerfacecolor=TRUTH if given else "none")
    axes.set_ylim(float(edges_bpm[0]), float(edges_bpm[-1]))


def _draw_face(axes: Axes, found: VideoEstimate) -> None:
    """Draw the outline of a mean face with the blocks, and the attention to each where a network has one."""
    assert found.blocks is not None  # noqa: S101
    grid = found.blocks.grid
    corners = sketch_corners(grid, BlocksConfig().height_factor)
    if found.block_weights is not None:
        weights = found.block_weights.reshape(grid.rows, grid.cols)
        axes.pcolormesh(*corners, weights, cmap="Oranges", vmin=0, vmax=max(float(weights.max()), 1e-6), rasterized=True)
        scale = f"white 0, least {weights.min():.3f}, darkest {weights.max():.3f}"
        axes.text(0.5, -0.02, scale, transform=axes.transAxes, ha="center", va="top", fontsize=8)
    else:
        axes.plot(corners[0], corners[1], color="0.8", linewidth=0.6)
        axes.plot(corners[0].T, corners[1].T, color="0.8", linewidth=0.6)
    draw_outline(axes)
    axes.set_title("Attention to the blocks" if found.block_weights is not None else "Blocks of the face")


def _draw_spectrum(axes: Axes, found: VideoEstimate) -> None:
    axes.set(xlabel="rate (bpm)", title="Spectrum of the wave", yticks=[])
    if found.path is not None:
        axes.set_xlim(float(found.path.rates_bpm[0]), float(found.path.rates_bpm[-1]))
    if np.isfinite(found.low_bpm):
        axes.axvspan(found.low_bpm, found.high_bpm, color=TRUTH, alpha=0.15)
    if np.isfinite(found.guess_bpm):
        axes.axvline(found.guess_bpm, color=TRUTH, linestyle="--" if found.refused else "-", linewidth=1)
    if found.pulse is None or len(found.pulse.times_s) < 2 or found.path is None:
        return
    rate_hz = (len(found.pulse.times_s) - 1) / float(found.pulse.times_s[-1] - found.pulse.times_s[0])
    band_bpm = (float(found.path.rates_bpm[0]), min(float(found.path.rates_bpm[-1]), 30 * rate_hz))
    spectrum = power_spectrum(found.pulse.value, rate_hz, band_bpm)
    if spectrum.known:
        axes.plot(spectrum.rates_bpm, spectrum.power / spectrum.power.max(), color=ESTIMATE, linewidth=1)
