"""Distributions of heart rates in the windows of a video: by a classical method, or by the networks of a run.

The network that ships with the package is in :mod:`.pulse_inference`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation.heart_rate_path import CLOSE_BPM, PathCalibration
from stmap_pipeline.evaluation.window_probability import CALIBRATION, RATES_BPM, PulseSignals, pulse_signals, window_probability
from stmap_pipeline.maps.stmap import resample_blocks
from stmap_pipeline.records import BlockTrace, LandmarkTrack, PulseTrace
from stmap_pipeline.signals.classical import method_named
from stmap_pipeline.signals.spectrum import detrend
from stmap_pipeline.training import require_torch

if TYPE_CHECKING:
    from stmap_pipeline.training.predict import Model

FloatArray = npt.NDArray[np.float64]

#: Shortest stretch with a face in which a rate is looked for: five beats of 60 bpm.
SHORTEST_S = 5.0
# spread of the rates of a run around the truth where they are right
_RUN_SD_BPM = 2.5


class WindowRates(NamedTuple):
    """What a method finds in the windows of a video, each on its own.

    Parameters
    ----------
    spans_s : (W, 2) array
        Start and end of each window, in the order of time; none where the video is too short.
    rates_bpm : (R,) array
    probability : (W, R) array
        NaN where a window tells nothing.
    no_pulse : (W,) array
        Probability that there is no pulse.
    pulse : PulseTrace
        The wave in which the rates were found.
    calibration : PathCalibration
        Of the path through these windows.
    block_weights : (N,) array, optional
        Attention of a network to the blocks, mean over time.
    """

    spans_s: FloatArray
    rates_bpm: FloatArray
    probability: FloatArray
    no_pulse: FloatArray
    pulse: PulseTrace
    calibration: PathCalibration
    block_weights: FloatArray | None = None


class RateSource(Protocol):
    """A method that finds heart rates in block traces."""

    @property
    def name(self) -> str:
        """As it stands in a result."""
        ...

    def windows(self, blocks: BlockTrace, track: LandmarkTrack | None, window_s: float, step_s: float) -> WindowRates:
        """Compute the distribution of each window of a video."""
        ...


class ClassicalRates:
    """GREEN, CHROM or POS with the spectrum and the agreement of blocks.

    Parameters
    ----------
    method : {"green", "chrom", "pos"}

    Raises
    ------
    UnknownNameError
        Where there is no such method.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> found = ClassicalRates("pos").windows(example_result(frames=360, heart_rate_bpm=72.0).blocks, None, 10.0, 2.0)
    >>> found.spans_s.tolist(), found.rates_bpm[found.probability.argmax(axis=1)].tolist()
    ([[0.0, 10.0], [2.0, 12.0]], [72.0, 72.0])
    """

    def __init__(self, method: str) -> None:
        method_named(method)
        self.name = method

    def windows(self, blocks: BlockTrace, track: LandmarkTrack | None, window_s: float, step_s: float) -> WindowRates:  # noqa: ARG002
        """Compute the distribution of each window; landmarks are not looked at."""
        signals = pulse_signals(blocks, self.name)
        spans_s = cut_spans(signals.times_s, signals.rate_hz, window_s, step_s)
        return WindowRates(spans_s, RATES_BPM, *window_probability(signals, spans_s), signal_pulse(signals), CALIBRATION[self.name])


class RunRates:
    """The networks of a run, whose rates count as much as POS supports them.

    A user's video is new to each fold, so the rate of a window is the mean of the estimates of all of them. A window is as sure of that
    rate as the distribution of POS is that the truth is within 5 bpm of it: a rate that the traces do not support is not believed.

    Parameters
    ----------
    run : Path
        Folder of a run, or a file of weights in one.
    device : str

    Raises
    ------
    ExtraMissingError
        Where torch is not installed.
    ModelError
        Where the folder is no run, a checkpoint is damaged, or folds do not read the same maps.
    """

    def __init__(self, run: Path, device: str = "cpu") -> None:
        require_torch()
        # imported late: the other methods go without torch
        from stmap_pipeline.training.predict import Model

        folds = [None] if run.suffix == ".safetensors" else Model.folds(run)
        self.name = str(run)
        self._models: list[Model] = [Model.load(run, fold, device) for fold in folds]
        metadata = [one.metadata for one in self._models]
        self.samples, self.blocks, self.rate_hz = metadata[0].samples, metadata[0].blocks, metadata[0].rate_hz
        kinds = {(one.samples, one.blocks, one.clock, one.rate_hz) for one in metadata}
        if len(kinds) > 1:
            raise ModelError(
                f"{run}: its folds read maps of different kinds; give one of them, such as {run}/fold1/weights.safetensors"
            )

    def windows(self, blocks: BlockTrace, track: LandmarkTrack | None, window_s: float, step_s: float) -> WindowRates:  # noqa: ARG002
        """Compute the distribution of each window, of the length of the run's own.

        Raises
        ------
        ModelError
            Where the grid of blocks is not that of the training.
        """
        spans_s, run_bpm = self.rates(blocks, step_s)
        return supported_rates(pulse_signals(blocks), spans_s, run_bpm)

    def rates(self, blocks: BlockTrace, step_s: float) -> tuple[FloatArray, FloatArray]:
        """Cut a trace into windows of the networks' length and estimate each.

        Parameters
        ----------
        blocks : BlockTrace
        step_s : float
            The last window ends with the trace.

        Returns
        -------
        spans_s : (W, 2) array
            Start and end of each window; none where the trace is shorter than one.
        rates_bpm : (W,) array

        Raises
        ------
        ModelError
            Where the grid of blocks is not that of the training.
        """
        if blocks.grid.count != self.blocks:
            raise ModelError(f"the run reads {self.blocks} blocks, not {blocks.grid.rows} x {blocks.grid.cols}")
        trace = blocks if self.rate_hz is None else resample_blocks(blocks, self.rate_hz)
        times_s, total = trace.times_s, len(trace.times_s)
        if total < self.samples:
            return np.empty((0, 2)), np.empty(0)
        wanted_s = np.arange(times_s[0], times_s[total - self.samples], step_s)
        starts = np.unique([*np.searchsorted(times_s, wanted_s).tolist(), total - self.samples])
        interval_s = float(np.median(np.diff(times_s)))
        spans_s = np.stack([times_s[starts], times_s[starts + self.samples - 1] + interval_s], axis=1)
        lengths_s = (spans_s[:, 1] - spans_s[:, 0]).tolist()
        rates = [one.predict_trace(trace, starts.tolist(), lengths_s).heart_rate_bpm for one in self._models]
        return spans_s, np.mean(rates, axis=0)


def supported_rates(signals: PulseSignals, spans_s: FloatArray, heart_rate_bpm: FloatArray) -> WindowRates:
    """Return distributions around the rates of another method, each as sure as the signals support it.

    Parameters
    ----------
    signals : PulseSignals
    spans_s : (W, 2) array
    heart_rate_bpm : (W,) array
        One for each window.
    """
    probability, no_pulse = window_probability(signals, spans_s)
    near = np.abs(RATES_BPM - heart_rate_bpm[:, None]) <= CLOSE_BPM
    support = np.where(near, probability, 0.0).sum(axis=1, keepdims=True)
    bell = np.exp(-0.5 * ((RATES_BPM - heart_rate_bpm[:, None]) / _RUN_SD_BPM) ** 2)
    bell /= np.maximum(bell.sum(axis=1, keepdims=True), 1e-300)
    elsewhere = (1 - no_pulse[:, None] - support) / len(RATES_BPM)
    return WindowRates(spans_s, RATES_BPM, support * bell + elsewhere, no_pulse, signal_pulse(signals), CALIBRATION[signals.method])


def signal_pulse(signals: PulseSignals) -> PulseTrace:
    """Return the pulse of the face with its beats as crests, without what is slower than 0.25 Hz."""
    # skin gets darker with a beat
    return PulseTrace(signals.times_s, -detrend(signals.face, signals.rate_hz))


def cut_spans(times_s: FloatArray, rate_hz: float, window_s: float, step_s: float) -> FloatArray:
    """Return start and end of each window of a uniform clock, (W, 2).

    Parameters
    ----------
    times_s : (T,) array
    rate_hz : float
    window_s, step_s : float
        The last window ends with the clock; a shorter video has one window, and one of less than 5 s none.

    Examples
    --------
    >>> cut_spans(np.arange(390) / 30, 30.0, 10.0, 2.0).tolist()
    [[0.0, 10.0], [2.0, 12.0], [3.0, 13.0]]
    """
    size, total = round(window_s * rate_hz), len(times_s)
    if total < SHORTEST_S * rate_hz:
        return np.empty((0, 2))
    size = min(size, total)
    starts = list(range(0, total - size + 1, max(1, round(step_s * rate_hz))))
    # half a second more is no other window
    if total - size - starts[-1] > 0.5 * rate_hz:
        starts.append(total - size)
    begin_s = times_s[starts]
    return np.stack([begin_s, begin_s + size / rate_hz], axis=1)
