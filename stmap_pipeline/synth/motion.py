"""How a head moves and a face acts: pose, blinks and talk, each a function of time.

The head moves in the picture plane (shift, roll and size) and turns out of it a little: then :mod:`.turn` displaces what is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.sines import Sines, random_sines
from stmap_pipeline.synth.turn import Turn


@dataclass(frozen=True, slots=True)
class HeadMotion:
    """Movement of the head about its place at rest.

    Parameters
    ----------
    x, y : Sines
        Shift in eye distances.
    roll_deg : Sines
        Positive: clockwise in the picture.
    log_scale : Sines
        Natural logarithm of the size.
    yaw_deg, pitch_deg : Sines
        Turn out of the picture plane: positive takes the nose to the right, and down. Up to about 20 degrees.
    """

    x: Sines = field(default_factory=Sines)
    y: Sines = field(default_factory=Sines)
    roll_deg: Sines = field(default_factory=Sines)
    log_scale: Sines = field(default_factory=Sines)
    yaw_deg: Sines = field(default_factory=Sines)
    pitch_deg: Sines = field(default_factory=Sines)

    def turn(self, time_s: float) -> Turn | None:
        """Give the turn out of the plane at a time; None for a head that never turns."""
        if not (self.yaw_deg.amplitudes or self.pitch_deg.amplitudes):
            return None
        return Turn(math.radians(self.yaw_deg.at(time_s)), math.radians(self.pitch_deg.at(time_s)))

    def matrix(self, time_s: float, px_per_unit: float, rest_px: tuple[float, float]) -> npt.NDArray[np.float64]:
        """Give the (2, 3) similarity from eye distances to pixels of the frame at a time.

        Examples
        --------
        >>> HeadMotion().matrix(1.0, 80.0, (200.0, 190.0)).tolist()
        [[80.0, -0.0, 200.0], [0.0, 80.0, 190.0]]
        """
        size = px_per_unit * math.exp(self.log_scale.at(time_s))
        roll = math.radians(self.roll_deg.at(time_s))
        c, s = size * math.cos(roll), size * math.sin(roll)
        x = rest_px[0] + px_per_unit * self.x.at(time_s)
        y = rest_px[1] + px_per_unit * self.y.at(time_s)
        return np.array([[c, -s, x], [s, c, y]])


def random_motion(rng: np.random.Generator, shift: float, roll_deg: float, scale: float, tremor: float) -> HeadMotion:
    """Draw a motion: slow sway of the given amplitudes, and a tremor of the shift at the rate of a pulse.

    Parameters
    ----------
    rng : numpy.random.Generator
    shift, tremor : float
        Amplitude in eye distances.
    roll_deg : float
    scale : float
        Relative change of size.
    """

    def sway(amplitude: float) -> Sines:
        return random_sines(rng, amplitude, 0.05, 0.35)

    def shaken(amplitude: float) -> Sines:
        # about 1 to 1.5 Hz, where balance and heartbeat shake a real head: the hardest place for a reader of pulses
        slow, fast = sway(amplitude), random_sines(rng, tremor, 1.0, 1.5, 2)
        return Sines(slow.amplitudes + fast.amplitudes, slow.rates_hz + fast.rates_hz, slow.phases_rad + fast.phases_rad)

    return HeadMotion(shaken(shift), shaken(shift * 0.7), sway(roll_deg), sway(math.log1p(scale)))


@dataclass(frozen=True, slots=True)
class Acting:
    """Blinks and talk.

    Parameters
    ----------
    seed : int
        Decides when the eyes close.
    blink_every_s : float
        Mean time between blinks; 0 for none.
    blink_s : float
        Length of a blink.
    syllables, phrases : Sines
        Opening of the mouth and, slower, whether there is talk at all; empty for a closed mouth.
    """

    seed: int = 0
    blink_every_s: float = 4.0
    blink_s: float = 0.30
    syllables: Sines = field(default_factory=Sines)
    phrases: Sines = field(default_factory=Sines)

    def blink(self, time_s: float) -> float:
        """Give how far the eyes are closed, 0 to 1.

        Examples
        --------
        >>> eyes = Acting(seed=3)
        >>> closed = [eyes.blink(frame / 30) > 0.5 for frame in range(600)]
        >>> 5 <= sum(after and not before for before, after in zip(closed, closed[1:])) <= 6
        True
        """
        if self.blink_every_s <= 0:
            return 0.0
        turn = math.floor(time_s / self.blink_every_s)
        # one blink in each stretch, so that any moment can be asked for without going through all before it
        start = float(np.random.default_rng([self.seed, 7, turn]).uniform(0.05, 0.9)) * (self.blink_every_s - self.blink_s)
        phase = (time_s - turn * self.blink_every_s - start) / self.blink_s
        return math.sin(math.pi * phase) ** 2 if 0 < phase < 1 else 0.0

    def mouth(self, time_s: float) -> float:
        """Give how far the mouth is open, 0 to 1."""
        if not self.syllables.amplitudes:
            return 0.0
        talk = min(max(0.6 + 2.5 * self.phrases.at(time_s), 0.0), 1.0)
        return talk * min(max(0.35 + self.syllables.at(time_s), 0.0), 0.85)


def random_acting(rng: np.random.Generator, talking: bool) -> Acting:
    """Draw when the eyes blink and, where the person talks, what the mouth does."""
    seed, every = int(rng.integers(2**31)), float(rng.uniform(3.0, 5.0))
    if not talking:
        return Acting(seed, every)
    return Acting(seed, every, syllables=random_sines(rng, 0.6, 1.8, 5.0, 4), phrases=random_sines(rng, 0.4, 0.1, 0.4))
