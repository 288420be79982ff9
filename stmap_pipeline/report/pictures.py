"""Plots as files: one recording, and the heart rates of a training set before and after balancing.

matplotlib comes with the extra ``plot`` and is imported when a picture is drawn, not before. Only its object interface is used: no window
is opened and no setting of the caller's own figures is touched. The same input gives the same bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stmap_pipeline.balance import Augmentation, BinResult
from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.errors import ExtraMissingError, OutputError, StmapError
from stmap_pipeline.evaluation import HeartRateComparison, compare_heart_rate, detrend, uniform_pulse
from stmap_pipeline.files import atomic_path
from stmap_pipeline.maps import make_stmap, normalize_rows
from stmap_pipeline.records import RecordingResult, RoiGrid
from stmap_pipeline.report.charts import Panel
from stmap_pipeline.report.face_outline import block_names, contours, sketch_corners
from stmap_pipeline.report.recording_page import gaps_s, pulse_panel, rate_panel, spectrum_panel
from stmap_pipeline.report.tables import fixed_text
from stmap_pipeline.simulation.face import MEAN_SHAPE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATE_HZ = 30.0
FORMATS = (".png", ".svg", ".pdf")

# colors that stay apart for color-blind readers (Okabe and Ito)
TRUTH, ESTIMATE, RESAMPLED, TARGET, SHADE, UNSEEN = "#D55E00", "#0072B2", "#E69F00", "#333333", "0.93", 0.8

# beside the font of matplotlib, which has Latin, Greek, Cyrillic, Arabic and Hebrew letters: those of Linux, Windows and macOS
_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "PingFang SC",
    "Hiragino Sans", "Hiragino Sans GB", "Apple SD Gothic Neo", "Arial Unicode MS",
)  # fmt: skip

_PANEL_COLORS = {"s1": ESTIMATE, "s2": TRUTH, "gap": str(UNSEEN), "shade": SHADE}

RECORDING_CAPTION = (
    "Good: while the face is still, stripes run through most rows of the second map, one per beat; the dots lie on the label; "
    "one sharp peak at the dashed line.\n"
    "Bad: rows of unrelated noise, gray where the face was not seen, dots far from the label, several peaks alike."
)
HISTOGRAM_CAPTION = (
    "Good: the columns reach the target; plan.json says why where they do not. Bad: a column far from where people were recorded\n"
    "is made of a few of them over and over; a network then learns these people and not the heart rate."
)


def check_picture(path: str | Path) -> None:
    """Refuse a picture that could not be drawn, before the work that goes into it.

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
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path}: a picture is written as one of {', '.join(FORMATS)}; give it such a name")
    new_figure(1, 1)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches.

    Raises
    ------
    ExtraMissingError
        Where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ExtraMissingError('pictures need matplotlib, which is not installed: pip install "stmap[plot]"') from None
    return Figure(figsize=(width, height), layout="constrained")


def _encode(figure: Figure, kind: str, dpi: int) -> bytes:
    import matplotlib as mpl

    metadata: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    file = io.BytesIO()
    _choose_fonts(figure)
    # without a salt of its own the SVG would name its parts by chance
    with mpl.rc_context({"svg.hashsalt": "stmap"}), warnings.catch_warnings():
        # where no font has a letter, a box stands for it
        warnings.filterwarnings("ignore", "Glyph ", UserWarning)
        figure.savefig(file, format=kind, dpi=dpi, metadata=metadata[kind])
    return file.getvalue()


def _choose_fonts(figure: Figure) -> None:
    """Let texts with names in other scripts use the fonts of this system that have their letters."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    texts = [one for one in figure.findobj(Text) if isinstance(one, Text) and not one.get_text().isascii()]
    if texts:
        there = set(font_manager.get_font_names())
        for one in texts:
            one.set_fontfamily(["DejaVu Sans", *(name for name in _FONTS if name in there)])


def save_figure(figure: Figure, target: Path, dpi: int) -> None:
    """Write a figure to a file of the kind that its name says; the same figure gives the same bytes."""
    content = _encode(figure, target.suffix.lower()[1:], dpi)
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def draw_recording(
    result: RecordingResult,
    path: str | Path,
    *,
    color: str = "yuv",
    method: str = "pos",
    start_s: float | None = None,
    window_s: float = 10.0,
    blocks: BlocksConfig | None = None,
    dpi: int = 120,
) -> Path:
    """Draw the map of one window with the pulse below it, and heart rate and spectrum of the whole recording.

    Beside the map the blocks are numbered on the outline of a mean face, and the pulse has that of the contact sensor over it where there
    is one.

    The first map is min-max normalized over the window, as a network sees it; the second one is the same without what is
    slower than 0.25 Hz, where a pulse shows even in moving light. The three channels are shown as red, green and blue. A
    color space of six channels is shown as two maps, one above the other.

    Parameters
    ----------
    result : RecordingResult
    path : str or Path
        A .png, .svg or .pdf file; one that is there is replaced, a missing folder is made.
    color : str
        Color space of the map.
    method : {"green", "chrom", "pos"}
        How the pulse is extracted.
    start_s, window_s : float
        The window of the map in seconds of the recording's clock; it starts at the first frame with a face where not given.
    blocks : BlocksConfig, optional
        Settings of the build: they say where the blocks lie; the usual ones where not given.
    dpi : int
        Dots per inch of a .png.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    StmapError
        Where matplotlib is not installed or the window does not lie inside the recording.
    OutputError
        Where the file's format is unknown or it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.maps.example import example_result
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     draw_recording(example_result(frames=300), Path(folder) / "one.png", dpi=50).name
    'one.png'
    """
    target = Path(path)
    check_picture(target)
    window = _window(result, start_s, window_s)
    pulse = uniform_pulse(result.blocks, method)
    row = compare_heart_rate(result, method, pulse)

    figure = new_figure(12.5, 10)
    grid = figure.add_gridspec(4, 3, height_ratios=(2.6, 2.6, 1.3, 1.9), width_ratios=(3, 1.1, 1.1))
    map_axes = figure.add_subplot(grid[0, :2])
    flat_axes = figure.add_subplot(grid[1, :2], sharex=map_axes)
    face_axes = figure.add_subplot(grid[0, 2])
    draw_blocks(face_axes, result.blocks.grid, (blocks or BlocksConfig()).height_factor)
    face_axes.set_title("blocks on a drawn face", fontsize=9)
    _draw_map(map_axes, result, color, window, flatten=False)
    _draw_map(flat_axes, result, color, window, flatten=True)
    _draw_panel(figure.add_subplot(grid[2, :2], sharex=map_axes), pulse_panel(result, pulse, window, method))
    _draw_panel(figure.add_subplot(grid[3, 0]), rate_panel(result, pulse, window, gaps_s(result.blocks), method))
    _draw_panel(figure.add_subplot(grid[3, 1:]), spectrum_panel(pulse, row.true_bpm))
    figure.suptitle(_title(result, row, method), fontsize=12)
    figure.supxlabel(RECORDING_CAPTION, fontsize=8, color="0.3")
    save_figure(figure, target, dpi)
    return target


def draw_blocks(axes: Axes, grid: RoiGrid, height_factor: float) -> None:
    """Draw the outline of a mean face with the grid and the numbers of its blocks."""
    corners = sketch_corners(grid, height_factor)
    axes.plot(corners[0], corners[1], color=ESTIMATE, linewidth=0.6)
    axes.plot(corners[0].T, corners[1].T, color=ESTIMATE, linewidth=0.6)
    draw_outline(axes)
    middles = (corners[:, :-1, :-1] + corners[:, 1:, 1:]) / 2
    for block, name in block_names(grid):
        x, y = middles[:, block // grid.cols, block % grid.cols].tolist()
        axes.text(x, y, name, fontsize=7, ha="center", va="center")


def draw_outline(axes: Axes) -> None:
    """Draw the outline of a mean face, as it is seen in an image."""
    for part in contours(MEAN_SHAPE):
        axes.plot(*part.T, color="0.35", linewidth=1.1)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.axis("off")


def _window(result: RecordingResult, start_s: float | None, window_s: float) -> tuple[float, float]:
    times_s = result.blocks.times_s
    if len(times_s) < 2 or not window_s > 0:
        raise StmapError(f"{result.recording.recording_id}: nothing to draw in {len(times_s)} frames and a window of {window_s} s")
    first_s, last_s = float(times_s[0]), float(times_s[-1])
    if start_s is None:
        seen_s = times_s[result.blocks.valid]
        start_s = min(float(seen_s[0]) if seen_s.size else first_s, max(first_s, last_s - window_s))
    # one sample at least must be inside
    if not first_s <= start_s < last_s - 1 / RATE_HZ:
        raise StmapError(
            f"{result.recording.recording_id}: a window from {start_s:g} s is outside the recording ({first_s:.2f} to {last_s:.2f} s)"
        )
    return start_s, min(start_s + window_s, last_s)


def _draw_map(axes: Axes, result: RecordingResult, color: str, window: tuple[float, float], *, flatten: bool) -> None:
    first_s = float(result.blocks.times_s[0])
    start, stop = (round((edge_s - first_s) * RATE_HZ) for edge_s in window)
    values = make_stmap(result.blocks, start, max(stop, start + 1), color=color, rate_hz=RATE_HZ).values.astype(np.float64)
    if flatten:
        values = normalize_rows(np.apply_along_axis(detrend, 1, values, RATE_HZ))
    spaces = color.split("+")
    # (N, T, 3 k) to k maps of (N, T, 3), one above the other
    picture = np.concatenate(np.split(values, len(spaces), axis=2)) / 255.0
    picture = np.where(np.isfinite(picture), picture, UNSEEN).clip(0, 1)
    rows, grid = len(picture), result.blocks.grid
    axes.imshow(picture, aspect="auto", interpolation="nearest", extent=(window[0], window[1], rows - 0.5, -0.5))
    for edge in range(grid.count, rows, grid.count):
        axes.axhline(edge - 0.5, color="white", linewidth=2)
    ticks = range(0, rows, grid.cols * -(-grid.rows * len(spaces) // 10))
    axes.set_yticks(ticks, [str(tick % grid.count) for tick in ticks])
    axes.set_ylabel("block, forehead to chin")
    channels = ", ".join(f"{space.upper()} as red, green, blue" for space in spaces)
    what = "the same without what is slower than 0.25 Hz" if flatten else f"spatial-temporal map: {channels}"
    axes.set_title(f"{what}; each row stretched over the window", fontsize=9, loc="left")
    axes.tick_params(labelbottom=False)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    named = set()
    for start, stop, color, key in panel.spans:
        # one entry in the legend, however many stretches
        axes.axvspan(start, stop, color=_PANEL_COLORS[color], label="_" if key in named else key)
        named.add(key)
    for one in panel.series:
        style = "o" if one.dots else "-"
        axes.plot(one.x, one.y, style, color=_PANEL_COLORS[one.color], markersize=3, linewidth=1, label=one.key or "_")
    for value, color, text in panel.marks:
        axes.axvline(value, color=_PANEL_COLORS[color], linestyle="--", linewidth=1, label=text)
    if not any(np.isfinite(one.y).any() for one in panel.series):
        axes.text(0.5, 0.5, panel.nothing, ha="center", va="center", transform=axes.transAxes)
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label, xlim=panel.x_limits, ylim=panel.y_limits)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7, loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2, frameon=False)


def _title(result: RecordingResult, row: HeartRateComparison, method: str) -> str:
    truth = f"true {row.true_bpm:.1f} bpm" if np.isfinite(row.true_bpm) else "true rate unknown"
    found = (
        f"{method.upper()} {row.estimated_bpm:.1f} bpm" if np.isfinite(row.estimated_bpm) else f"{method.upper()} finds no pulse"
    )
    ratio = f", SNR {fixed_text(row.snr_db, signed=True)} dB" if np.isfinite(row.snr_db) else ""
    seen = float(result.blocks.valid.mean())
    return f"{row.recording_id}: {truth}, {found}{ratio}; face seen in {seen:.0%} of {len(result.blocks.times_s)} frames"


def draw_histogram(augmentation: Augmentation, *, dpi: int = 120) -> dict[str, bytes]:
    """Draw the histogram of heart rates, recorded and resampled windows one above the other, with the target as a line.

    Parameters
    ----------
    augmentation : Augmentation
    dpi : int
        Dots per inch of the PNG.

    Returns
    -------
    dict of str to bytes
        ``histogram.png`` and ``histogram.svg``; the same plan gives the same bytes.

    Raises
    ------
    StmapError
        Where matplotlib is not installed.

    Examples
    --------
    >>> from stmap_pipeline.balance import BalanceOptions
    >>> from stmap_pipeline.shards import Shards, plan_augmentation
    >>> from stmap_pipeline.shards.example import example_maps
    >>> pictures = draw_histogram(plan_augmentation(Shards(example_maps()), BalanceOptions("fg2019")), dpi=40)
    >>> sorted(pictures), pictures["histogram.png"][1:4]
    (['histogram.png', 'histogram.svg'], b'PNG')
    """
    figure = new_figure(9, 4.5)
    _draw_bins(figure.add_subplot(), augmentation.bins)
    figure.suptitle(
        f"{sum(one.before for one in augmentation.bins)} windows as recorded, {len(augmentation.windows)} resampled "
        f"({augmentation.options.rule}); normalized entropy {augmentation.entropy_before:.2f} -> {augmentation.entropy_after:.2f}",
        fontsize=11,
    )
    figure.supxlabel(HISTOGRAM_CAPTION, fontsize=8, color="0.3")
    return {f"histogram.{kind}": _encode(figure, kind, dpi) for kind in ("png", "svg")}


def _draw_bins(axes: Axes, bins: Sequence[BinResult]) -> None:
    left = [one.low_bpm for one in bins]
    width = [one.high_bpm - one.low_bpm for one in bins]
    before = [one.before for one in bins]
    axes.bar(left, before, width, align="edge", color=ESTIMATE, edgecolor="white", linewidth=0.5, label="as recorded")
    added = [one.added for one in bins]
    axes.bar(left, added, width, before, align="edge", color=RESAMPLED, edgecolor="white", linewidth=0.5, label="resampled")
    wanted = [one.wanted for one in bins if one.wanted is not None]
    if wanted:
        edges = [*left, bins[-1].high_bpm]
        axes.stairs(wanted, edges, baseline=None, color=TARGET, linewidth=1, linestyle="--", label="target")
    axes.set_xlim(left[0], bins[-1].high_bpm)
    axes.set_xlabel("heart rate (bpm)")
    axes.set_ylabel("windows")
    axes.legend(fontsize=8, frameon=False)
