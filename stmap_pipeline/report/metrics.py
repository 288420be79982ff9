"""The quality figures of a recording: name, unit, meaning, equation and reference, each said once for tables, plots and text.

Equations are MathML, which browsers set by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stmap_pipeline.report.tables import Field

_SPACE = '<mspace width="0.25em"></mspace>'


def _row(*parts: str) -> str:
    return "<mrow>" + "".join(parts) + "</mrow>"


def _frac(above: str, below: str) -> str:
    return f"<mfrac>{above}{below}</mfrac>"


def _sub(base: str, index: str) -> str:
    return f"<msub><mi>{base}</mi><mi>{index}</mi></msub>"


def _op(sign: str) -> str:
    return f"<mo>{sign}</mo>"


def _n(value: str) -> str:
    return f"<mn>{value}</mn>"


def _text(words: str) -> str:
    return f"<mtext>{words}</mtext>"


def _abs(*parts: str) -> str:
    return _row(_op("|"), *parts, _op("|"))


@dataclass(frozen=True, slots=True)
class Metric:
    """One quality figure.

    Parameters
    ----------
    field : Field
        Its column in the table.
    meaning : str
        The definition in words.
    equation : str
        MathML, safe markup.
    reading : str
        What good and bad look like.
    worst : {"low", "high"}
        At which end the worst recordings lie.
    reference : str
        Whose definition it is; empty for our own.
    limits : (float, float), optional
        Natural ends of its axis.
    """

    field: Field
    meaning: str
    equation: str
    reading: str
    worst: Literal["low", "high"]
    reference: str = ""
    limits: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """Key of the figure in a row."""
        return self.field.name

    @property
    def axis(self) -> str:
        """Label of an axis."""
        return f"{self.field.heading} ({self.field.unit})" if self.field.unit not in ("", "1") else self.field.heading


METRICS: tuple[Metric, ...] = (
    Metric(
        Field(
            "snr_db", "pulse SNR", "dB", "power of the POS pulse at the labeled rate and its double over the rest", "float", 1, True
        ),
        "Power of the POS pulse within 6 bpm of the labeled heart rate and of its double, against all other power between 40 and 240 bpm. "
        "Without a label the estimate takes its place: the figure then says how sharp the peak is, not whether it is right.",
        _row(
            _text("SNR"),
            _op("="),
            _n("10"),
            _SPACE + "<msub><mi>log</mi><mn>10</mn></msub>" + _SPACE,
            _frac(
                _row(_op("∑"), "<mi>P</mi>", _text("\u00a0near f, 2f")),
                _row(_op("∑"), "<mi>P</mi>", _text("\u00a0elsewhere")),
            ),
        ),
        "Good: above 0 dB, the pulse outweighs all else. Bad: below about -5 dB the peak is one of many, and a network has as little to go by.",
        "low",
        "de Haan, Jeanne: Robust pulse rate from chrominance-based rPPG. IEEE Trans. Biomed. Eng. 60 (2013). Pulse: Wang et al.: "
        "Algorithmic principles of remote PPG. IEEE Trans. Biomed. Eng. 64 (2017).",
    ),
    Metric(
        Field("abs_error_bpm", "POS against label", "bpm", "distance of the POS estimate from the label", "float", 1),
        "Distance between the labeled heart rate and the highest peak of the POS spectrum over the whole recording. The label is the mean "
        "heart rate; where there is a pulse wave alone, its own highest peak.",
        _row("<mi>e</mi>", _op("="), _abs(_sub("f", "POS"), _op("-"), _sub("f", "label"))),
        "Good: below 3 bpm. Bad: tens of bpm; either no pulse is to be seen, or label and video do not belong together.",
        "high",
        limits=(0, 5),
        reference="Wang, den Brinker, Stuijk, de Haan: Algorithmic principles of remote PPG. IEEE Trans. Biomed. Eng. 64 (2017).",
    ),
    Metric(
        Field("coverage", "face coverage", "1", "mean share of the blocks' area that was seen", "float", 3),
        "Mean share of the area of a block (a, of it seen: in frame t, block n) that lay inside the picture and the mask; 0 in a frame without a face.",
        _row(
            "<mi>c</mi>",
            _op("="),
            "<munder><mtext>mean</mtext><mrow><mi>t</mi><mo>,</mo><mi>n</mi></mrow></munder>" + _SPACE,
            _frac("<msub><mi>a</mi><mrow><mi>t</mi><mi>n</mi></mrow></msub>", _sub("a", "n")),
        ),
        "Good: 1. Bad: less than 0.9; the face leaves the picture or is lost.",
        "low",
        limits=(0, 1),
    ),
    Metric(
        Field("longest_gap_s", "longest gap", "s", "longest stretch without a known face", "float", 1),
        "The longest stretch of frames in which the face was not known, from its first frame to the next one with a face.",
        _row(
            "<mi>g</mi>",
            _op("="),
            "<munder><mtext>max</mtext><mtext>gaps</mtext></munder>",
            _row(_op("("), _sub("t", "end"), _op("-"), _sub("t", "begin"), _op(")")),
        ),
        "Good: 0. Bad: seconds; windows that reach into a gap lack samples, and training leaves them out.",
        "high",
        limits=(0, 1),
    ),
    Metric(
        Field("jitter_percent", "clock jitter", "%", "standard deviation of the time between frames over its mean", "float", 1),
        "Standard deviation of the time from one frame to the next, as a share of its mean.",
        _row(
            "<mi>j</mi>",
            _op("="),
            _n("100"),
            _op("·"),
            _frac(_row(_text("SD("), "<mi>Δt</mi>", _text(")")), _row(_text("mean("), "<mi>Δt</mi>", _text(")"))),
        ),
        "Good: a few percent. Bad: tens of percent; frames were dropped, and whoever counts frames in place of seconds gets a wrong heart rate.",
        "high",
        limits=(0, 1),
    ),
    Metric(
        Field(
            "motion_per_s",
            "motion",
            "eye distances/s",
            "median speed of the face in distances between the outer eye corners",
            "float",
            2,
        ),
        "Median speed of the center of the landmarks over half a second, in distances between the outer corners of the eyes.",
        _row(
            "<mi>m</mi>",
            _op("="),
            "<munder><mtext>median</mtext><mi>t</mi></munder>" + _SPACE,
            _frac(
                _abs(
                    "<mi>x</mi><mo>(</mo><mi>t</mi><mo>+</mo><mi>τ</mi><mo>)</mo>",
                    _op("-"),
                    "<mi>x</mi><mo>(</mo><mi>t</mi><mo>)</mo>",
                ),
                _row("<mi>τ</mi>", "<mi>d</mi>"),
            ),
            _op(","),
            _row("<mi>τ</mi>", _op("="), _n("0.5"), _text("\u00a0s")),
        ),
        "Good: below 0.1, a person who sits still. Bad: above 0.5; light moves over the skin and hides the pulse.",
        "high",
        limits=(0, 0.1),
    ),
    Metric(
        Field(
            "clipped_fraction",
            "clipped blocks",
            "1",
            "share of block means below 5 or above 250 gray levels in any channel",
            "float",
            3,
        ),
        "Share of block means in which a channel is below 5 or above 250 of 255 gray levels. Single pixels are not stored; a mean "
        "so near to an end stands for many pixels that were cut off there.",
        _row(
            "<mi>k</mi>",
            _op("="),
            _text("share of\u00a0"),
            _sub("r", "tn"),
            _op("∉"),
            _row(_op("["), _n("5"), _op(","), _n("250"), _op("]")),
        ),
        "Good: 0. Bad: more than a few percent; over- or underexposed skin carries no pulse.",
        "high",
        limits=(0, 0.01),
    ),
)
