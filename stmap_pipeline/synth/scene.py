"""One person before one camera: pixels at any time, and the truth about them.

A scene holds numbers only; drawings are made on the first frame and kept for the last few persons. Everything follows
from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.backdrop import Backdrop, paint_backdrop
from stmap_pipeline.synth.camera import Illumination, Plane, SensorNoise, random_illumination
from stmap_pipeline.synth.layers import Head
from stmap_pipeline.synth.motion import Acting, HeadMotion, random_acting, random_motion
from stmap_pipeline.synth.paint import paint_head
from stmap_pipeline.synth.pulse import Pulse, random_pulse
from stmap_pipeline.synth.shape import Identity, make_identity
from stmap_pipeline.synth.turn import depth

Setting = Literal["easy", "hard"]
_FACE_SHARE = 0.46  # of the picture's width, from cheek to cheek; of 0.9 times its height where that is less
_EYES_AT = 0.43  # of its height, from the top


@dataclass(frozen=True, slots=True)
class Scene:
    """A face video that was never filmed.

    Parameters
    ----------
    identity_seed : int
    skin_tone : str
        A key of :data:`~stmap_pipeline.synth.shape.SKIN_TONES`.
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
        """Who is drawn."""
        return make_identity(self.identity_seed, self.skin_tone)

    @property
    def px_per_unit(self) -> float:
        """Pixels per eye distance at rest."""
        jaw = self.identity.points[[0, 16], 0]
        return _FACE_SHARE * min(self.size_px[0], 0.9 * self.size_px[1]) / float(jaw[1] - jaw[0])

    def similarity(self, time_s: float) -> npt.NDArray[np.float64]:
        """Give the (2, 3) matrix from eye distances to pixels of the frame, the center of the first pixel at (0, 0)."""
        return self.motion.matrix(time_s, self.px_per_unit, self._rest_px)

    def landmarks(self, time_s: float) -> npt.NDArray[np.float64]:
        """Give the true (68, 2) landmarks in pixels, blink and mouth included."""
        return self.place(self.identity.expression(self.acting.blink(time_s), self.acting.mouth(time_s)), time_s)

    def place(self, points: npt.NDArray[np.float64], time_s: float) -> npt.NDArray[np.float64]:
        """Give where points (K, 2) of the face at rest, in eye distances, are seen in the frame at a time."""
        matrix, turn = self.similarity(time_s), self.motion.turn(time_s)
        if turn is not None:
            x, y = points.T
            points = np.stack(turn.forward(x, y, depth(x, y)), axis=1)
        return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)

    def heart_rate_bpm(self, time_s: float) -> float:
        """Give the true heart rate at a time."""
        return self.pulse.heart_rate_bpm(time_s)

    def exact(self, time_s: float) -> Plane:
        """Give the (3, H, W) red, green and blue planes before noise and rounding, as float32."""
        planes = self._lit(time_s, self.pulse.green_change(time_s))
        planes *= self.light.gain(time_s, self.size_px[0])
        return planes

    def skin(self, time_s: float) -> Plane:
        """Give the (H, W) share of each pixel that pulses, 0 to 1: the green plane's own answer to a change of 1.

        Eyes, brows, hair, clothes and wall do not pulse.
        """
        rest, beat = (self._lit(time_s, pulse) for pulse in (0.0, 1.0))
        return np.asarray((beat[1] - rest[1]) / np.maximum(rest[1], 1e-3), dtype=np.float32)

    def render(self, time_s: float, index: int) -> npt.NDArray[np.uint8]:
        """Give the frame at a time as (H, W, 3) red, green and blue.

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
        planes = [cv2.add(plane, grain, dtype=cv2.CV_8U) for plane, grain in zip(self.exact(time_s), noise, strict=True)]
        return np.asarray(cv2.merge(planes), dtype=np.uint8)

    def lay_over(self, planes: Plane, time_s: float) -> None:
        """Draw this person's head, unlit and without a body, over (3, H, W) planes of another scene: a passer-by."""
        head = self._head.draw(self.acting.blink(time_s), self.acting.mouth(time_s), self.pulse.green_change(time_s))
        self._add(planes, head, time_s)

    @property
    def _rest_px(self) -> tuple[float, float]:
        return (self.size_px[0] - 1) / 2, _EYES_AT * self.size_px[1]

    @property
    def _head(self) -> Head:
        return paint_head(self.identity_seed, self.skin_tone, self.px_per_unit)

    @property
    def _backdrop(self) -> Backdrop:
        return paint_backdrop(self.identity_seed, self.skin_tone, self.size_px, self.px_per_unit, self._rest_px)

    def _lit(self, time_s: float, pulse: float) -> Plane:
        """Give the planes in good and steady light; ``pulse`` is the relative change of green."""
        planes = self._backdrop.draw(pulse)
        self._add(planes, self._head.draw(self.acting.blink(time_s), self.acting.mouth(time_s), pulse), time_s)
        return planes

    def _add(self, planes: Plane, head: Plane, time_s: float) -> None:
        """Lay a head layer over (3, H, W) planes at the pose of the time."""
        turn = self.motion.turn(time_s)
        if turn is not None:
            head = self._head.turned(head, turn)
        width, height = self.size_px
        pose, layer = np.vstack([self.similarity(time_s), (0, 0, 1)]), np.vstack([self._head.to_px(), (0, 0, 1)])
        to_frame = (pose @ np.linalg.inv(layer))[:2]
        rows, columns = head.shape[:2]
        corners = np.array([(-1, -1, 1), (columns, -1, 1), (-1, rows, 1), (columns, rows, 1)]) @ to_frame.T
        x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (width, height)).tolist()
        x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, (width, height)).tolist()
        if x1 <= x0 or y1 <= y0:
            return
        to_frame[:, 2] -= (x0, y0)
        warped = cv2.split(cv2.warpAffine(head, to_frame, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR))
        clear = 1 - warped[3]
        for plane, color in zip(planes, warped[:3], strict=True):
            part = plane[y0:y1, x0:x1]
            part *= clear
            part += color


@dataclass(frozen=True, slots=True)
class _Look:
    """Bounds of a setting; what a scene gets is drawn by its seed."""

    shift: float
    roll_deg: float
    scale: float
    tremor: float
    drift: float
    level: tuple[float, float]
    sigma: float
    strength: tuple[float, float]
    talking: bool


_LOOKS: dict[str, _Look] = {
    # quiet sitting in good light
    "easy": _Look(0.06, 2.0, 0.02, 0.004, 0.01, (0.92, 1.0), 1.2, (0.006, 0.010), False),
    # large motion, talk, light that drifts, and little of it
    "hard": _Look(0.26, 7.0, 0.06, 0.010, 0.10, (0.55, 0.70), 2.0, (0.004, 0.007), True),
}
# a model: melanin takes light before blood can, so the relative amplitude falls with it
_TONE_STRENGTH = {"very_light": 1.0, "light": 1.0, "medium": 0.9, "dark": 0.75, "very_dark": 0.65}


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
        ``easy``: quiet sitting in good light. ``hard``: large motion, talk, drifting and dim light.
    heart_rate_bpm : float
        Mean about which the rate varies; the mean over a video is :meth:`Pulse.mean_over`.
    skin_tone : str
    identity_seed : int, optional
        Who is drawn, where several scenes show one person.
    size_px : (int, int)
        Width and height; the face is 46 % of the width from cheek to cheek, less in a wide picture.
    talking : bool, optional
        Instead of the setting's own.

    Examples
    --------
    >>> easy = make_scene(1, heart_rate_bpm=80.0)
    >>> abs(easy.pulse.mean_over(0.0, 20.0) - 80.0) < 4.5
    True
    """
    look = _LOOKS[setting]
    rng = np.random.default_rng([seed, 2019])
    strength = float(rng.uniform(*look.strength)) * _TONE_STRENGTH.get(skin_tone, 1.0)
    return Scene(
        identity_seed=seed if identity_seed is None else identity_seed,
        skin_tone=skin_tone,
        pulse=random_pulse(rng, heart_rate_bpm, strength),
        motion=random_motion(rng, look.shift, look.roll_deg, look.scale, look.tremor),
        light=random_illumination(rng, float(rng.uniform(*look.level)), look.drift),
        acting=random_acting(rng, look.talking if talking is None else talking),
        noise=SensorNoise(look.sigma, seed),
        size_px=size_px,
    )
