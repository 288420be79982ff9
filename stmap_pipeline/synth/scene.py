"""One person in front of one camera: head motion, blinks and talk, illumination, sensor noise, and the pixels and truth at any time.

A scene holds numbers only, all drawn from its seed; the person is painted at the first frame and cached.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.pulse import Pulse, Sines, random_pulse, random_sines
from stmap_pipeline.synth.face import Identity, Rotation, make_identity
from stmap_pipeline.synth.paint import Background, Head, Plane, paint_background, paint_head

Setting = Literal["easy", "hard"]
_FACE_SHARE = 0.46  # of the image's width, from cheek to cheek; of 0.9 times its height where that is less
_EYE_LINE = 0.43  # of its height, from the top
_NOISE_SAMPLES = 1 << 22  # a frame may take half of them, so that any two start at different places


@dataclass(frozen=True, slots=True)
class HeadMotion:
    """Movement of the head about its place at rest.

    Parameters
    ----------
    x, y : Sines
        Shift in eye distances.
    roll_deg : Sines
        Positive: clockwise in the image.
    log_scale : Sines
        Natural logarithm of the size.
    yaw_deg, pitch_deg : Sines
        Rotation out of the image plane: positive takes the nose to the right, and down. Up to about 20 degrees.
    """

    x: Sines = field(default_factory=Sines)
    y: Sines = field(default_factory=Sines)
    roll_deg: Sines = field(default_factory=Sines)
    log_scale: Sines = field(default_factory=Sines)
    yaw_deg: Sines = field(default_factory=Sines)
    pitch_deg: Sines = field(default_factory=Sines)

    def rotation(self, time_s: float) -> Rotation | None:
        """Compute the rotation out of the plane at a time; None for a head that never leaves it."""
        if not (self.yaw_deg.amplitudes or self.pitch_deg.amplitudes):
            return None
        return Rotation(math.radians(self.yaw_deg.at(time_s)), math.radians(self.pitch_deg.at(time_s)))

    def matrix(self, time_s: float, px_per_unit: float, rest_px: tuple[float, float]) -> npt.NDArray[np.float64]:
        """Compute the (2, 3) similarity from eye distances to pixels of the frame at a time.

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


def random_motion(random: np.random.Generator, shift: float, roll_deg: float, scale: float, tremor: float) -> HeadMotion:
    """Draw a motion: slow sway of the given amplitudes, and a tremor of the shift at the rate of a pulse.

    Parameters
    ----------
    random : numpy.random.Generator
    shift, tremor : float
        Amplitude in eye distances.
    roll_deg : float
    scale : float
        Relative change of size.
    """

    def sway(amplitude: float) -> Sines:
        return random_sines(random, amplitude, 0.05, 0.35)

    def with_tremor(amplitude: float) -> Sines:
        # 1 to 1.5 Hz, where balance and heartbeat move a real head: the hardest place for an estimate of the heart rate
        slow, fast = sway(amplitude), random_sines(random, tremor, 1.0, 1.5, 2)
        return Sines(slow.amplitudes + fast.amplitudes, slow.rates_hz + fast.rates_hz, slow.phases_rad + fast.phases_rad)

    return HeadMotion(with_tremor(shift), with_tremor(shift * 0.7), sway(roll_deg), sway(math.log1p(scale)))


@dataclass(frozen=True, slots=True)
class Acting:
    """Blinks and talk.

    Parameters
    ----------
    seed : int
        Decides when the eyes close.
    blink_every_s : float
        Mean time between blinks of 0.3 s; 0 for none.
    syllables, phrases : Sines
        Opening of the mouth and, slower, whether there is talk at all; empty for a closed mouth.
    """

    seed: int = 0
    blink_every_s: float = 4.0
    syllables: Sines = field(default_factory=Sines)
    phrases: Sines = field(default_factory=Sines)

    def blink(self, time_s: float) -> float:
        """Compute how far the eyes are closed, 0 to 1.

        Examples
        --------
        >>> eyes = Acting(seed=3)
        >>> closed = [eyes.blink(frame / 30) > 0.5 for frame in range(600)]
        >>> 5 <= sum(after and not before for before, after in zip(closed, closed[1:])) <= 6
        True
        """
        if self.blink_every_s <= 0:
            return 0.0
        blink_s = 0.30
        period = math.floor(time_s / self.blink_every_s)
        # one blink in each period, so that any moment can be computed without those before it
        start = float(np.random.default_rng([self.seed, 7, period]).uniform(0.05, 0.9)) * (self.blink_every_s - blink_s)
        phase = (time_s - period * self.blink_every_s - start) / blink_s
        return math.sin(math.pi * phase) ** 2 if 0 < phase < 1 else 0.0

    def mouth(self, time_s: float) -> float:
        """Compute how far the mouth is open, 0 to 1."""
        if not self.syllables.amplitudes:
            return 0.0
        talk = min(max(0.6 + 2.5 * self.phrases.at(time_s), 0.0), 1.0)
        return talk * min(max(0.35 + self.syllables.at(time_s), 0.0), 0.85)


def random_acting(random: np.random.Generator, talking: bool) -> Acting:
    """Draw when the eyes blink and, where the person talks, what the mouth does."""
    seed, every = int(random.integers(2**31)), float(random.uniform(3.0, 5.0))
    if not talking:
        return Acting(seed, every)
    return Acting(seed, every, random_sines(random, 0.6, 1.8, 5.0, 4), random_sines(random, 0.4, 0.1, 0.4))


@dataclass(frozen=True, slots=True)
class Illumination:
    """Light on the whole image, the same for each color.

    Parameters
    ----------
    level : float
        1 is good light.
    drift : Sines
        Relative change over time.
    slope : Sines
        Relative change from the middle to the right edge: a cloud or a door to one side.
    """

    level: float = 1.0
    drift: Sines = field(default_factory=Sines)
    slope: Sines = field(default_factory=Sines)

    def gain(self, time_s: float, width_px: int) -> Plane:
        """Compute the (W,) factor of each column of the image at a time.

        Examples
        --------
        >>> Illumination(0.5).gain(3.0, 4).tolist()
        [0.5, 0.5, 0.5, 0.5]
        """
        across = np.linspace(-1, 1, width_px) * self.slope.at(time_s)
        return np.asarray(self.level * (1 + self.drift.at(time_s)) * (1 + across), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class SensorNoise:
    """Independent Gaussian noise of each pixel and color.

    The numbers come from one pool that every frame enters at places of its own: new numbers for each frame would take longer than
    all other work. Means over many pixels behave as with independent noise.

    Parameters
    ----------
    sigma : float
        Standard deviation in gray levels.
    seed : int
    """

    sigma: float = 1.5
    seed: int = 0

    def planes(self, index: int, height_px: int, width_px: int) -> list[Plane]:
        """Return three (H, W) planes for frame ``index``; the same index has the same noise.

        Examples
        --------
        >>> red, green, blue = SensorNoise(2.0, seed=4).planes(0, 100, 100)
        >>> bool(abs(green.std() - 2.0) < 0.1)
        True
        """
        size = height_px * width_px
        if size > _NOISE_SAMPLES // 2:
            raise ValueError(
                f"a frame of {width_px}x{height_px} is larger than the {_NOISE_SAMPLES // 2} pixels that there is noise for"
            )
        starts = np.random.default_rng([self.seed, 3, index]).integers(_NOISE_SAMPLES - size + 1, size=3)
        pool = _noise_pool()
        return [pool[start : start + size].reshape(height_px, width_px) * np.float32(self.sigma) for start in starts.tolist()]


@lru_cache(maxsize=1)
def _noise_pool() -> Plane:
    pool = np.random.default_rng(20190514).standard_normal(_NOISE_SAMPLES, dtype=np.float32)
    pool -= pool.mean()
    pool.flags.writeable = False
    return pool


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn face video.

    Parameters
    ----------
    identity_seed : int
    skin_tone : str
        A key of :data:`~stmap_pipeline.simulation.face.SKIN_TONES`.
    pulse : Pulse
    motion : HeadMotion
    acting : Acting
    light : Illumination
    noise : SensorNoise
    size_px : (int, int)
        Width and height.

    Examples
    --------
    >>> scene = make_scene(3, "easy", heart_rate_bpm=66.0, size_px=(160, 160))
    >>> scene.render(0.5, 15).shape, scene.landmarks(0.5).shape
    ((160, 160, 3), (68, 2))
    """

    identity_seed: int
    skin_tone: str
    pulse: Pulse
    motion: HeadMotion = field(default_factory=HeadMotion)
    acting: Acting = field(default_factory=Acting)
    light: Illumination = field(default_factory=Illumination)
    noise: SensorNoise = field(default_factory=SensorNoise)
    size_px: tuple[int, int] = (442, 446)

    @property
    def identity(self) -> Identity:
        """Drawn person."""
        return make_identity(self.identity_seed, self.skin_tone)

    @property
    def px_per_unit(self) -> float:
        """Pixels per eye distance at rest."""
        jaw = self.identity.points[[0, 16], 0]
        return _FACE_SHARE * min(self.size_px[0], 0.9 * self.size_px[1]) / float(jaw[1] - jaw[0])

    def similarity(self, time_s: float) -> npt.NDArray[np.float64]:
        """Compute the (2, 3) matrix from eye distances to pixels of the frame, the center of the first pixel at (0, 0)."""
        return self.motion.matrix(time_s, self.px_per_unit, self._rest_px)

    def landmarks(self, time_s: float) -> npt.NDArray[np.float64]:
        """Compute the true (68, 2) landmarks in pixels, blink and mouth included."""
        return self.project(self.identity.expression(self.acting.blink(time_s), self.acting.mouth(time_s)), time_s)

    def project(self, points: npt.NDArray[np.float64], time_s: float) -> npt.NDArray[np.float64]:
        """Compute where points (K, 2) of the face at rest, in eye distances, are seen in the frame at a time."""
        matrix, rotation = self.similarity(time_s), self.motion.rotation(time_s)
        if rotation is not None:
            points = np.stack(rotation.project(*points.T), axis=1)
        return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)

    def render(self, time_s: float, index: int) -> npt.NDArray[np.uint8]:
        """Render the frame at a time as (H, W, 3) red, green and blue.

        Parameters
        ----------
        time_s : float
        index : int
            Number of the frame: it decides the noise. Noise comes before rounding, as in a camera, so that a mean over
            many pixels keeps changes far below one gray level.
        """
        width, height = self.size_px
        noise = self.noise.planes(index, height, width)
        # float plus float with an 8-bit result: rounded to nearest and clipped in one pass
        planes = [cv2.add(plane, grain, dtype=cv2.CV_8U) for plane, grain in zip(self.render_exact(time_s), noise, strict=True)]
        return np.asarray(cv2.merge(planes), dtype=np.uint8)

    def render_exact(self, time_s: float) -> Plane:
        """Render the (3, H, W) red, green and blue planes before noise and rounding, as float32."""
        planes = self._render_unlit(time_s, self.pulse.green_change(time_s))
        planes *= self.light.gain(time_s, self.size_px[0])
        return planes

    def skin(self, time_s: float) -> Plane:
        """Compute the (H, W) share of each pixel that pulses, 0 to 1. Eyes, brows, hair, clothes and wall do not pulse."""
        rest, beat = (self._render_unlit(time_s, pulse) for pulse in (0.0, 1.0))
        return np.asarray((beat[1] - rest[1]) / np.maximum(rest[1], 1e-3), dtype=np.float32)

    def composite(self, planes: Plane, time_s: float, pulse: float | None = None) -> None:
        """Composite this person's head, unlit and without a body, over (3, H, W) planes, also of another scene."""
        pulse = self.pulse.green_change(time_s) if pulse is None else pulse
        layer = self._head.render(self.acting.blink(time_s), self.acting.mouth(time_s), pulse, self.motion.rotation(time_s))
        pose = np.vstack([self.similarity(time_s), (0, 0, 1)])
        to_frame = (pose @ np.linalg.inv(self._head.to_px()))[:2]
        rows, columns = layer.shape[:2]
        corners = np.array([(-1, -1, 1), (columns, -1, 1), (-1, rows, 1), (columns, rows, 1)]) @ to_frame.T
        x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, self.size_px).tolist()
        x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, self.size_px).tolist()
        if x1 <= x0 or y1 <= y0:
            return
        to_frame[:, 2] -= (x0, y0)
        *colors, opacity = cv2.split(cv2.warpAffine(layer, to_frame, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR))
        clear = 1 - opacity
        for plane, color in zip(planes, colors, strict=True):
            part = plane[y0:y1, x0:x1]
            part *= clear
            part += color

    def _render_unlit(self, time_s: float, pulse: float) -> Plane:
        """Render the planes in good and steady light; ``pulse`` is the relative change of green."""
        planes = self._background.render(pulse)
        self.composite(planes, time_s, pulse)
        return planes

    @property
    def _rest_px(self) -> tuple[float, float]:
        return (self.size_px[0] - 1) / 2, _EYE_LINE * self.size_px[1]

    @property
    def _head(self) -> Head:
        return paint_head(self.identity_seed, self.skin_tone, self.px_per_unit)

    @property
    def _background(self) -> Background:
        return paint_background(self.identity_seed, self.skin_tone, self.size_px, self.px_per_unit, self._rest_px)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Bounds of a setting, from which the seed draws a scene."""

    shift: float
    roll_deg: float
    scale: float
    tremor: float
    drift: float
    level: tuple[float, float]
    sigma: float
    strength: tuple[float, float]
    talking: bool


_BOUNDS: dict[str, _Bounds] = {
    # sitting still in good light
    "easy": _Bounds(0.06, 2.0, 0.02, 0.004, 0.01, (0.92, 1.0), 1.2, (0.006, 0.010), False),
    # large motion, talk, dim and drifting light
    "hard": _Bounds(0.26, 7.0, 0.06, 0.010, 0.10, (0.55, 0.70), 2.0, (0.004, 0.007), True),
}
# a model: melanin absorbs light before blood can, so the relative amplitude falls with it
_STRENGTH_BY_TONE = {"very_light": 1.0, "light": 1.0, "medium": 0.9, "dark": 0.75, "very_dark": 0.65}


def make_scene(
    seed: int,
    setting: Setting = "easy",
    *,
    heart_rate_bpm: float = 72.0,
    skin_tone: str = "medium",
    identity_seed: int | None = None,
    size_px: tuple[int, int] = (442, 446),
    talking: bool | None = None,
) -> Scene:
    """Draw a scene by seed.

    Parameters
    ----------
    seed : int
        Decides motion, light, blinks, noise and the drift of the heart rate.
    setting : {"easy", "hard"}
        ``easy``: sitting still in good light. ``hard``: large motion, talk, dim and drifting light.
    heart_rate_bpm : float
        Mean about which the rate varies; the mean over a video is :meth:`Pulse.mean_between`.
    skin_tone : str
    identity_seed : int, optional
        Who is drawn, where several scenes show one person.
    size_px : (int, int)
        Width and height; the face is 46 % of the width from cheek to cheek, less in a wide image.
    talking : bool, optional
        Instead of the setting's own.

    Examples
    --------
    >>> easy = make_scene(1, heart_rate_bpm=80.0)
    >>> bool(abs(easy.pulse.mean_between(0.0, 20.0) - 80.0) < 4.5)
    True
    """
    bounds = _BOUNDS[setting]
    random = np.random.default_rng([seed, 2019])
    strength = float(random.uniform(*bounds.strength)) * _STRENGTH_BY_TONE.get(skin_tone, 1.0)
    pulse = random_pulse(random, heart_rate_bpm, strength)
    motion = random_motion(random, bounds.shift, bounds.roll_deg, bounds.scale, bounds.tremor)
    level = float(random.uniform(*bounds.level))
    light = Illumination(level, random_sines(random, bounds.drift, 0.03, 0.25), random_sines(random, bounds.drift / 2, 0.03, 0.25))
    return Scene(
        identity_seed=seed if identity_seed is None else identity_seed,
        skin_tone=skin_tone,
        pulse=pulse,
        motion=motion,
        light=light,
        acting=random_acting(random, bounds.talking if talking is None else talking),
        noise=SensorNoise(bounds.sigma, seed),
        size_px=size_px,
    )
