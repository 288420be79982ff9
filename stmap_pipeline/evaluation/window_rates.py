"""Distributions of heart rates in the windows of a video: by the pulse network of the package, a classical method, or the networks of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation.heart_rate_path import PathCalibration
from stmap_pipeline.evaluation.pulse_inference import PulseInference, PulseWindows
from stmap_pipeline.evaluation.pulse_wave import stitch
from stmap_pipeline.evaluation.window_probability import CALIBRATION, RATES_BPM, PulseSignals, pulse_signals, window_probability
from stmap_pipeline.faces.motion import head_motion
from stmap_pipeline.maps.stmap import resample_blocks
from stmap_pipeline.records import BlockTrace, LandmarkTrack, PulseTrace, median_interval_s
from stmap_pipeline.signals.classical import method_named
from stmap_pipeline.signals.rate_grid import share_near
from stmap_pipeline.signals.resample import resample_uniform, uniform_times
from stmap_pipeline.signals.spectrum import detrend
from stmap_pipeline.torch import require_torch
from stmap_pipeline.weights import PULSE_NET, read_calibration, read_description, read_weights
from stmap_pipeline.weights.pulse_net import INPUT_HZ, WAVE_HZ
from stmap_pipeline.weights.pulse_net import RATES_BPM as NETWORK_RATES_BPM

if TYPE_CHECKING:
    from stmap_pipeline.training.predict import Model

FloatArray = npt.NDArray[np.float64]

#: Name of the pulse network as a method.
PULSE_NET_METHOD = "pulse-net"
#: Of the pulse network, where the description of its weights has none.
PATH_CALIBRATION = PathCalibration(0.572, 0.404, 0.643)
#: Shortest video in which a rate is looked for: five beats of 60 bpm.
SHORTEST_S = 5.0
# spread of the rates of a run around the truth where they are right
_RUN_SD_BPM = 2.5
# samples of blocks that a network reads at once, and windows; more take memory and no less time
_TOGETHER, _MOST_TOGETHER = 8 * 100 * 300, 8
# blocks that are resampled at once: splines of all in a long video would take several times its memory
_BLOCKS = 10
_NO_PULSE = PulseTrace(np.empty(0), np.empty(0))


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
        Attention of a network to the blocks that it was given, mean over time.
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

    @property
    def any_grid(self) -> bool:
        """Whether it reads any number of blocks, and finds more in smaller ones."""
        ...

    def windows(self, blocks: BlockTrace, track: LandmarkTrack | None, window_s: float, step_s: float) -> WindowRates:
        """Compute the distribution of each window of a video."""
        ...


class PulseNetRates:
    """The pulse network that comes with the package, in NumPy; it reads any number of blocks, and the motion of the head.

    Parameters
    ----------
    name : str
        Of the weights.

    Raises
    ------
    ModelError
        Where the weights are missing or damaged.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> one = example_result(frames=360, heart_rate_bpm=72.0)
    >>> found = PulseNetRates().windows(one.blocks, one.track, 10.0, 2.0)
    >>> found.spans_s.tolist(), found.probability.shape, found.block_weights.shape
    ([[0.0, 10.0], [2.0, 12.0]], (2, 185), (4,))
    """

    any_grid = True

    def __init__(self, name: str = PULSE_NET) -> None:
        self.name = PULSE_NET_METHOD
        self._network = PulseInference(read_weights(name))
        self._calibration = read_calibration(name)
        self._path_calibration = PathCalibration(
            **(PATH_CALIBRATION._asdict() | read_description(name).get("path_calibration", {}))
        )

    def windows(self, blocks: BlockTrace, track: LandmarkTrack | None, window_s: float, step_s: float) -> WindowRates:
        """Compute the distribution of each window."""
        times_s = uniform_times(blocks.times_s, INPUT_HZ)
        means = np.empty((len(times_s), *blocks.means.shape[1:]), dtype=np.float32)
        for first in range(0, blocks.grid.count, _BLOCKS):
            some = slice(first, first + _BLOCKS)
            means[:, some] = resample_uniform(blocks.times_s, blocks.means[:, some], INPUT_HZ)[1]
        motion = None
        if track is not None and track.found.any():
            motion = np.column_stack([np.interp(times_s, track.times_s, one) for one in head_motion(track.points_px).T])
        return self.uniform_windows(times_s, means, motion, window_s, step_s)

    def uniform_windows(
        self,
        times_s: FloatArray,
        means: npt.NDArray[np.floating],
        motion: npt.NDArray[np.floating] | None,
        window_s: float,
        step_s: float,
    ) -> WindowRates:
        """Compute the distribution of each window of samples at 30 Hz.

        Parameters
        ----------
        times_s : (T,) array
        means : (T, N, 3) array
            R, G, B in gray levels; NaN where not seen.
        motion : (T, 4) array, optional
            As :func:`~stmap_pipeline.faces.motion.head_motion` returns it.
        window_s, step_s : float
        """
        spans_s = cut_spans(times_s, INPUT_HZ, window_s, step_s)
        if not len(spans_s):
            none = np.empty((0, len(NETWORK_RATES_BPM)))
            return WindowRates(spans_s, NETWORK_RATES_BPM, none, np.empty(0), _NO_PULSE, self._path_calibration)
        size = round((spans_s[0, 1] - spans_s[0, 0]) * INPUT_HZ)
        # on an even sample, as the wave has half the rate
        starts = np.round((spans_s[:, 0] - times_s[0]) * INPUT_HZ).astype(np.int64) // 2 * 2
        parts = []
        together = min(max(1, _TOGETHER // (means.shape[1] * size)), _MOST_TOGETHER)
        for first in range(0, len(starts), together):
            rows = starts[first : first + together, None] + np.arange(size)
            parts.append(self._network(means[rows], None if motion is None else motion[rows]))
        found = PulseWindows(*(np.concatenate(one) for one in zip(*parts, strict=True)))
        probability, no_pulse = self._calibration(found.log_probability.astype(np.float64), found.log_no_pulse.astype(np.float64))
        pulse = stitch(np.where(found.time_weights > 0, found.wave.astype(np.float64), np.nan), times_s[starts], WAVE_HZ)
        weights = found.block_weights.mean(axis=0, dtype=np.float64)
        return WindowRates(spans_s, NETWORK_RATES_BPM, probability, no_pulse, pulse, self._path_calibration, weights)


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

    any_grid = False

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
    run : str or Path
        Folder of a run, or a file of weights in one.
    device : str

    Raises
    ------
    ExtraMissingError
        Where torch is not installed.
    ModelError
        Where the folder is no run, a checkpoint is damaged, or folds do not read the same maps.
    """

    any_grid = False

    def __init__(self, run: str | Path, device: str = "cpu") -> None:
        require_torch()
        # imported late: the other methods go without torch
        from stmap_pipeline.training.predict import Model

        run = Path(run)
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
        interval_s = median_interval_s(times_s)
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
    support = (probability * share_near(RATES_BPM, heart_rate_bpm)).sum(axis=1, keepdims=True)
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


def rate_source(method: str) -> RateSource:
    """Return a method by name: ``pulse-net``, ``pos``, ``chrom`` or ``green``.

    Raises
    ------
    UnknownNameError
        Where there is no such method.
    ModelError
        Where the weights of the network are missing or damaged.

    Examples
    --------
    >>> rate_source("pos").name
    'pos'
    """
    return PulseNetRates() if method == PULSE_NET_METHOD else ClassicalRates(method)
