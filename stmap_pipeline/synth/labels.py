"""What a pulse oximeter beside the camera would have written: rows of heart rate, pulse wave, oxygen and pressure."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from stmap_pipeline.synth.pulse import Pulse

SENSOR_FAULT_BPM = 255


def heart_rate_rows(pulse: Pulse, duration_s: float) -> list[int]:
    """Give whole beats per minute, one a second: row i is the mean from second i to the next.

    The last row covers the end of the video.

    Examples
    --------
    >>> heart_rate_rows(Pulse(71.6), 2.5)
    [72, 72, 72]
    """
    return [round(pulse.mean_over(second, second + 1)) for second in range(math.ceil(duration_s))]


def wave_rows(pulse: Pulse, duration_s: float, rate_hz: float = 60.0) -> list[int]:
    """Give a finger sensor's wave as whole numbers around 60, one more than fits the video.

    Examples
    --------
    >>> wave_rows(Pulse(60.0), 0.5, rate_hz=8.0)
    [66, 92, 86, 73, 66]
    """
    return [round(60 + 32 * pulse.wave(row / rate_hz)) for row in range(math.floor(duration_s * rate_hz) + 1)]


def oxygen_rows(seed: int, duration_s: float) -> list[int]:
    """Give oxygen saturation in percent, one a second."""
    drawn = np.random.default_rng([seed, 98]).integers(97, 100, math.ceil(duration_s))
    return [int(value) for value in drawn]


def pulse_rate_lines(pulse: Pulse, duration_s: float, rate_hz: float = 1000.0) -> list[str]:
    """Give the heart rate in beats per minute at a high rate, as text.

    Examples
    --------
    >>> pulse_rate_lines(Pulse(71.5), 0.002)
    ['71.500', '71.500']
    """
    return [f"{pulse.heart_rate_bpm(row / rate_hz):.3f}" for row in range(math.ceil(duration_s * rate_hz))]


def pressure_lines(pulse: Pulse, duration_s: float, rate_hz: float = 1000.0) -> list[str]:
    """Give an arterial pressure wave in mmHg, as text: about 70 to 125."""
    return [f"{97 + 20 * pulse.wave(row / rate_hz):.3f}" for row in range(math.ceil(duration_s * rate_hz))]


def lines(rows: Iterable[object], header: str = "", end: str = "\n") -> bytes:
    r"""Join rows to the bytes of a file.

    Examples
    --------
    >>> lines([75, 76], "HR", "\r\n")
    b'HR\r\n75\r\n76\r\n'
    """
    texts = [header] if header else []
    return "".join(f"{row}{end}" for row in [*texts, *rows]).encode()
