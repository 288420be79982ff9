"""Heart rates of a training set before and after it was balanced, as one picture.

matplotlib comes with the extra ``plot`` and is imported when a picture is drawn, not before.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stmap_pipeline.balance import Augmentation, BinResult
from stmap_pipeline.errors import StmapError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# colors that stay apart for color-blind readers (Okabe and Ito)
RECORDED, RESAMPLED, TARGET = "#0072B2", "#E69F00", "#333333"

CAPTION = (
    "Good: the columns reach the target; plan.json says why where they do not. Bad: a column far from where people were recorded\n"
    "is made of a few of them over and over; a network then learns these people and not the heart rate."
)


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
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise StmapError('pictures need matplotlib, which is not installed: pip install "stmap[plot]"') from None

    # without a salt of its own the SVG would name its parts by chance
    with mpl.rc_context({"svg.hashsalt": "stmap"}):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        _draw(figure.add_subplot(), augmentation.bins)
        rule = augmentation.options.rule
        figure.suptitle(
            f"{sum(one.before for one in augmentation.bins)} windows as recorded, {len(augmentation.windows)} resampled ({rule}); "
            f"normalized entropy {augmentation.entropy_before:.2f} -> {augmentation.entropy_after:.2f}",
            fontsize=11,
        )
        figure.supxlabel(CAPTION, fontsize=8, color="0.3")
        pictures = {}
        metadata: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
        for kind, about in metadata.items():
            file = io.BytesIO()
            figure.savefig(file, format=kind, dpi=dpi, metadata=about)
            pictures[f"histogram.{kind}"] = file.getvalue()
    return pictures


def _draw(axes: Axes, bins: Sequence[BinResult]) -> None:
    left = [one.low_bpm for one in bins]
    width = [one.high_bpm - one.low_bpm for one in bins]
    before = [one.before for one in bins]
    axes.bar(left, before, width, align="edge", color=RECORDED, edgecolor="white", linewidth=0.5, label="as recorded")
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
