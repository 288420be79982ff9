"""Recordings to plan with, made of clocks and labels alone."""

import numpy as np

from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.maps.balance import Request, Source
from stmap_pipeline.maps.windows import window_clock
from stmap_pipeline.records import HeartRateTrace


def source(rate=80.0, duration_s=30.0, rate_hz=30.0, *, times_s=None, lost_s=(), label=True, label_s=None, config=None):
    """A recording with a heart rate (a number, or a function of time) and a face that is lost in some intervals."""
    times = np.arange(round(duration_s * rate_hz)) / rate_hz if times_s is None else np.asarray(times_s)
    valid = np.ones(len(times), dtype=bool)
    for start_s, stop_s in lost_s:
        valid &= (times < start_s) | (times >= stop_s)
    seconds = np.arange(np.ceil(duration_s)) if label_s is None else np.asarray(label_s, dtype=float)
    rates = np.array([rate(one) for one in seconds]) if callable(rate) else np.full(len(seconds), float(rate))
    trace = HeartRateTrace(seconds, rates) if label else None
    return Source(window_clock(times, valid, 0.9 * valid, config or WindowsConfig()), times, trace)


def request(one, name="a", length=300, step=15):
    """All windows of a recording, with their labels as recorded."""
    clock = one.clock
    start = np.arange(0, len(clock.times_s) - length + 1, step)
    stop_s = clock.times_s[start + length - 1] + clock.interval_s
    rates = [one.heart_rate.mean_between(a, b) for a, b in zip(clock.times_s[start], stop_s, strict=True)] if one.heart_rate else []
    return Request(name, start, start + length, np.array(rates))
