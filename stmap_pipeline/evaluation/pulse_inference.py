"""The pulse network in NumPy: heart rates, waves and attention from block traces, without torch.

The same arithmetic as :mod:`stmap_pipeline.training.networks.pulse_net`, where it is explained, layer by layer; a test compares both. It
starts in a hundredth of the time that torch takes to be imported, and needs no package beyond those that the pipeline itself needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from stmap_pipeline.weights.pulse_net import (
    DEVIATION,
    GROUPS,
    HALF_BAND,
    LARGEST,
    MIXES,
    MOTIONS,
    NEAR_STEPS,
    RATES_BPM,
    STEP,
    TREND,
    WAVE_HZ,
)

Array = npt.NDArray[np.float32]


_TINY = 1e-9
_COLOR_MIXES = np.array(MIXES, dtype=np.float32)
_TAPS = np.array(HALF_BAND, dtype=np.float32)


class PulseWindows(NamedTuple):
    """What the network finds in windows.

    Parameters
    ----------
    log_probability : (B, R) array
        Logarithm of the probability that there is a pulse and has this rate, one of :data:`RATES_BPM`.
    log_no_pulse : (B,) array
        Logarithm of the probability that there is no pulse.
    wave : (B, S) array
        At 15 Hz, of either sign; sample k stands at input sample 2 k.
    block_weights : (B, N) array
    time_weights : (B, S) array
    """

    log_probability: Array
    log_no_pulse: Array
    wave: Array
    block_weights: Array
    time_weights: Array


class PulseInference:
    """The network with its weights.

    Parameters
    ----------
    weights : mapping of str to array
        As :class:`~stmap_pipeline.training.networks.pulse_net.PulseNetwork` names them.
    """

    def __init__(self, weights: Mapping[str, npt.NDArray[np.floating]]) -> None:
        self._weights = {name: np.ascontiguousarray(one, dtype=np.float32) for name, one in weights.items()}
        self._heads = len(self._weights["score.bias"])
        self._waves = len(self._weights["to_waves.bias"]) // STEP
        self._layers = sum(name.startswith("decoder.") and name.endswith(".mix.bias") for name in self._weights)
        self._sees_motion = "motion_stem.weight" in self._weights

    def __call__(self, means: npt.NDArray[np.floating], motion: npt.NDArray[np.floating] | None = None) -> PulseWindows:
        """Estimate each window of a batch.

        Parameters
        ----------
        means : (B, T, N, 3) array
            R, G, B of the blocks in gray levels at 30 Hz, NaN where not seen; 4 s or more.
        motion : (B, T, 4) array, optional
            As :func:`~stmap_pipeline.faces.motion.head_motion` returns it; NaN where not known.
        """
        blocks, level, seen, moved = _prepare(np.asarray(means, dtype=np.float32), motion)
        samples = seen.shape[2]
        # whole steps: what is added was not seen
        missing = -samples % STEP
        blocks, seen, moved = _padded(blocks, 0, missing), _padded(seen, 0, missing), _padded(moved, 0, missing)
        each, known = self._encode(blocks, level, seen)
        face, block_weights = self._attend(each, known)
        face = self._decode(face, moved)
        batch, _, steps = face.shape
        by_step = self._conv("to_waves", face, padding=2).reshape(batch, self._waves, STEP, steps)
        waves = by_step.transpose(0, 1, 3, 2).reshape(batch, self._waves, -1)
        weights = _sigmoid(self._conv("to_time_weights", face, padding=2)[:, 0]) * known.any(axis=1)
        moments = np.repeat(weights, STEP, axis=1)
        pooled = np.einsum("bncs,bn->bcs", blocks, block_weights)
        scores = self._rate_scores(waves, pooled, moments, moved)
        scores = np.concatenate([scores, self._no_pulse_score(face, weights, scores)], axis=1)
        scores -= scores.max(axis=1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return PulseWindows(scores[:, :-1], scores[:, -1], waves[:, 0, :samples], block_weights, moments[:, :samples])

    def _encode(self, blocks: Array, level: Array, seen: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
        batch, count, channels, samples = blocks.shape
        known: npt.NDArray[np.bool_] = seen.reshape(batch, count, -1, STEP).mean(axis=3) >= np.float32(0.5)
        x = self._conv("stem", blocks.reshape(-1, channels, samples), stride=STEP, padding=STEP)
        x += self._linear("level", level).reshape(batch * count, -1, 1)
        x = self._encoder_layer(0, _silu(self._norm("stem_norm", x)), 1)
        each = x.reshape(batch, count, *x.shape[1:])
        weight = known[:, :, None].astype(np.float32)
        mean = (each * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
        each = each + self._linear("context", mean.transpose(0, 2, 1)).transpose(0, 2, 1)[:, None]
        x = self._encoder_layer(1, each.reshape(x.shape), 2)
        return x.reshape(batch, count, -1, x.shape[2]), known

    def _encoder_layer(self, index: int, x: Array, dilation: int) -> Array:
        name = f"encoder.{index}"
        inner = self._conv(f"{name}.conv", x, padding=2 * dilation, dilation=dilation)
        return x + _silu(self._norm(f"{name}.norm", inner))

    def _attend(self, blocks: Array, known: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
        batch, count, channels, steps = blocks.shape
        scores = self._conv("score", blocks.reshape(-1, channels, steps))
        scores = np.pad(scores, ((0, 0), (0, 0), (NEAR_STEPS, NEAR_STEPS)), mode="edge")
        scores = _taps(scores, 2 * NEAR_STEPS + 1).mean(axis=3).reshape(batch, count, self._heads, steps)
        scores = np.where(known[:, :, None], scores, np.float32(-1e4))
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights *= np.asarray(known.any(axis=1))[:, None, None] / weights.sum(axis=1, keepdims=True)
        split = blocks.reshape(batch, count, self._heads, -1, steps)
        mean = (weights[:, :, :, None] * split).sum(axis=1)
        variance = (weights[:, :, :, None] * np.square(split)).sum(axis=1) - np.square(mean)
        deviation = np.sqrt(np.maximum(variance, 0) + 1e-4)
        return np.concatenate([mean, deviation], axis=1).reshape(batch, -1, steps), weights.mean(axis=(2, 3))

    def _decode(self, face: Array, moved: Array) -> Array:
        if self._sees_motion:
            motion = _silu(self._conv("motion_stem", moved, stride=STEP, padding=STEP))
            face = np.concatenate([face, motion], axis=1)
        x = self._conv("enter", face)
        for index in range(self._layers):
            name, dilation = f"decoder.{index}", 2**index
            inner = self._conv(f"{name}.conv", _silu(self._norm(f"{name}.norm", x)), padding=2 * dilation, dilation=dilation)
            x = x + self._conv(f"{name}.mix", _silu(inner))
        return _silu(self._norm("decoder_norm", x))

    def _rate_scores(self, waves: Array, pooled: Array, moments: Array, moved: Array) -> Array:
        window = moments[:, None]
        spectra = [_log_power(waves, window, factor * RATES_BPM) for factor in (0.5, 1.0, 2.0)]
        channels = [*spectra, _log_power(pooled, window, RATES_BPM)]
        if self._sees_motion:
            known = moved[:, -1:]
            hann = np.hanning(known.shape[2]).astype(np.float32)
            channels.append(_log_power(moved[:, :MOTIONS], hann * known, RATES_BPM))
            channels.append(np.broadcast_to(known.mean(axis=2, keepdims=True), (len(known), 1, len(RATES_BPM))))
        x = np.concatenate(channels, axis=1)
        x = _silu(self._conv("rate_head.0", x, padding=4))
        x = _silu(self._conv("rate_head.2", x, padding=8, dilation=2))
        return self._conv("rate_head.4", x, padding=4)[:, 0] + spectra[1][:, 0]

    def _no_pulse_score(self, face: Array, weights: Array, scores: Array) -> Array:
        weight = (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-3))[:, None]
        mean = (face * weight).sum(axis=2, keepdims=True)
        deviation = np.sqrt((np.square(face - mean) * weight).sum(axis=2) + 1e-4)
        top = scores.max(axis=1, keepdims=True)
        total = top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
        x = np.concatenate([mean[:, :, 0], deviation, total, top], axis=1)
        return self._linear("no_pulse.2", _silu(self._linear("no_pulse.0", x)))

    def _linear(self, name: str, x: Array) -> Array:
        return np.asarray(x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"])

    def _norm(self, name: str, x: Array) -> Array:
        """Normalize groups of channels over time (GroupNorm)."""
        split = x.reshape(len(x), GROUPS, -1)
        split = split - split.mean(axis=2, keepdims=True)
        split /= np.sqrt(np.square(split).mean(axis=2, keepdims=True) + 1e-5)
        return np.asarray(
            split.reshape(x.shape) * self._weights[f"{name}.weight"][:, None] + self._weights[f"{name}.bias"][:, None]
        )

    def _conv(self, name: str, x: Array, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> Array:
        """Convolve (B, C, S) over time to (B, D, S')."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        taps = _taps(_padded(x, padding, padding), weight.shape[2], stride, dilation)
        batch, channels, steps, size = taps.shape
        rows = taps.transpose(0, 2, 1, 3).reshape(batch * steps, channels * size)
        found = rows @ weight.reshape(len(weight), -1).T + bias
        return np.ascontiguousarray(found.reshape(batch, steps, -1).transpose(0, 2, 1))


def _prepare(means: Array, motion: npt.NDArray[np.floating] | None) -> tuple[Array, Array, Array, Array]:
    """Return the input of the layers: (B, N, 14, S) mixes, (B, N, 7) levels, (B, N, S) seen, (B, 9, S) motion."""
    batch, samples, count, _ = means.shape
    rows = means.transpose(0, 2, 3, 1).reshape(batch * count, 3, samples)
    trend, seen = _trend(rows)
    # a gray level at least: a black block has no relative change
    relative = np.where(seen > 0, (rows - trend) / np.maximum(trend, 1.0), np.float32(0))
    relative, seen = _half_rate(relative, seen)
    mixes = np.einsum("mc,bcs->bms", _COLOR_MIXES, relative)
    share = seen.mean(axis=2, keepdims=True)
    deviation = np.sqrt(np.square(mixes).mean(axis=2, keepdims=True) / np.maximum(share, _TINY))
    known = np.where(share > 0, deviation, np.inf).reshape(batch, count, -1)
    # the lower of two middle values, as torch takes it
    middle = np.maximum(np.isfinite(known).sum(axis=1, keepdims=True) - 1, 0) // 2
    usual = np.take_along_axis(np.sort(known, axis=1), middle, axis=1)
    usual = np.where(np.isfinite(usual), usual, 1.0)
    usual = np.broadcast_to(usual, known.shape).reshape(deviation.shape)
    first = np.clip(mixes / (usual + 1e-6), -LARGEST, LARGEST)
    whole = np.concatenate([first, _by_own_deviation(mixes, seen)], axis=1).reshape(batch, count, 2 * len(MIXES), -1)
    level = (np.log(deviation + 1e-5) / 2 + 3).reshape(batch, count, -1)
    parts = (whole, level, seen.reshape(batch, count, -1), _motion(motion, batch, seen.shape[2]))
    return parts[0].astype(np.float32), parts[1].astype(np.float32), parts[2].astype(np.float32), parts[3].astype(np.float32)


def _trend(rows: npt.NDArray[np.floating]) -> tuple[Array, Array]:
    known = np.asarray(np.isfinite(rows).all(axis=1, keepdims=True))
    weight = known.astype(np.float32)
    share = _moving_mean(weight, TREND)
    near = (share > 1e-6).astype(np.float32)
    once = _moving_mean(np.where(known, rows, 0.0), TREND) / np.maximum(share, _TINY) * near
    trend = _moving_mean(once, TREND) / np.maximum(_moving_mean(near, TREND), _TINY)
    return np.asarray(trend, dtype=np.float32), weight


def _moving_mean(rows: npt.NDArray[np.floating], size: int) -> Array:
    """Return the moving mean of rows (B, C, T) that are 0 beyond their ends."""
    sums = np.cumsum(np.pad(rows.astype(np.float64), ((0, 0), (0, 0), (size // 2 + 1, size // 2))), axis=2)
    return np.asarray((sums[:, :, size:] - sums[:, :, :-size]) / size, dtype=np.float32)


def _half_rate(rows: npt.NDArray[np.floating], seen: Array) -> tuple[Array, Array]:
    half = _taps(_padded(rows.astype(np.float32), 3, 3), len(HALF_BAND), 2) @ _TAPS
    seen = seen[:, :, ::2]
    return np.asarray(half * seen), seen


def _by_own_deviation(rows: Array, seen: Array) -> Array:
    power = _moving_mean(np.square(rows), DEVIATION) / np.maximum(_moving_mean(seen, DEVIATION), _TINY)
    return np.asarray(np.clip(rows / np.sqrt(np.maximum(power, 0) + _TINY), -LARGEST, LARGEST) * seen)


def _motion(motion: npt.NDArray[np.floating] | None, batch: int, samples: int) -> Array:
    if motion is None:
        return np.zeros((batch, 2 * MOTIONS + 1, samples), dtype=np.float32)
    rows = np.asarray(motion, dtype=np.float32).transpose(0, 2, 1)
    trend, seen = _trend(rows)
    change, seen = _half_rate(np.where(seen > 0, rows - trend, np.float32(0)), seen)
    return np.concatenate([_by_own_deviation(change, seen), np.arcsinh(300 * change), seen], axis=1)


def _log_power(waves: Array, window: Array, rates_bpm: npt.NDArray[np.float64]) -> Array:
    samples = waves.shape[2]
    total = np.maximum(window.sum(axis=2, keepdims=True), 1e-3)
    waves = (waves - (waves * window).sum(axis=2, keepdims=True) / total) * window
    angle = 2 * np.pi / (60 * WAVE_HZ) * np.arange(samples)[:, None] * rates_bpm
    power = np.square(waves @ np.cos(angle).astype(np.float32)) + np.square(waves @ np.sin(angle).astype(np.float32))
    energy = np.square(waves).sum(axis=2, keepdims=True) * total
    return np.asarray(np.log(power / (energy + 1e-6) + 1e-3))


def _padded(x: Array, before: int, after: int) -> Array:
    if not before and not after:
        return x
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)])


def _taps(x: npt.NDArray[np.floating], size: int, stride: int = 1, dilation: int = 1) -> Array:
    """Return a view (B, C, S', size) of the samples under each step of a convolution."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    steps = (x.shape[2] - dilation * (size - 1) - 1) // stride + 1
    one = x.strides[2]
    return as_strided(x, (*x.shape[:2], steps, size), (*x.strides[:2], one * stride, one * dilation), writeable=False)


def _silu(x: Array) -> Array:
    # x times the sigmoid of x, without an overflow
    return np.asarray(np.float32(0.5) * x * (1 + np.tanh(np.float32(0.5) * x)), dtype=np.float32)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))
