"""People of many windows at once: color and shade of each block, and how strongly blood, shine and hair show in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation import face
from stmap_pipeline.simulation.config import SimulationConfig
from stmap_pipeline.simulation.draws import factor_of_some, log_uniform
from stmap_pipeline.simulation.pulse import PULSE_RGB

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

# pulses, in the settings of training, that are stronger than others, by a factor from 1 to 5
_STRONG_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class FaceMaps:
    """Properties of the N blocks of a grid, (N,) each: those of the mean face, interpolated from 5 x 5 blocks."""

    skin: FloatArray
    perfusion: FloatArray
    shine: FloatArray
    mouth: FloatArray
    across: FloatArray
    down: FloatArray
    region: IntArray
    """Number of the block of the 5 x 5 grid in which the middle of a block lies."""

    @classmethod
    def of_grid(cls, rows: int, cols: int) -> FaceMaps:
        """Interpolate the mean face; across and down run from -1 to 1."""
        down_at, across_at = (np.arange(rows) + 0.5) / rows * face.ROWS, (np.arange(cols) + 0.5) / cols * face.COLS
        row, col = down_at - 0.5, across_at - 0.5
        region = (down_at.astype(np.intp)[:, None] * face.COLS + across_at.astype(np.intp)).ravel()

        def interpolated(values: FloatArray) -> FloatArray:
            image = values.reshape(face.ROWS, face.COLS)
            wide = np.stack([np.interp(col, np.arange(face.COLS), one) for one in image])
            return np.stack([np.interp(row, np.arange(face.ROWS), one) for one in wide.T], axis=1).ravel()

        across, down = np.linspace(-1, 1, cols) if cols > 1 else np.zeros(1), np.linspace(-1, 1, rows) if rows > 1 else np.zeros(1)
        skin, perfusion, shine, mouth = (interpolated(one) for one in (face.SKIN_SHARE, face.PERFUSION, face.SHINE, face.MOUTH))
        return cls(skin, perfusion, shine, mouth, np.tile(across, rows), np.repeat(down, cols), region)


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """People of B windows with N blocks.

    Parameters
    ----------
    base : (B, N, 3) array of float64
        R, G, B of each block at rest in good light, in gray levels.
    skin : (B, N) array of float64
        Share of a block that is skin.
    pulse : (B, N, 3) array of float64
        Amplitude of the pulse's fundamental relative to linear light; 0 where there is no skin or no pulse.
    shine : (B, N, 3) array of float64
        Relative change of a block by specular reflection, in the color of the light.
    liveliness : (B,) array of float64
        Factor on motion.
    width_px : (B,) array of float64
        Width of the face.
    """

    base: FloatArray
    skin: FloatArray
    pulse: FloatArray
    shine: FloatArray
    liveliness: FloatArray
    width_px: FloatArray

    @property
    def pixels(self) -> FloatArray:
        """(B,) pixels of a block; a face is 1.3 times as high as wide."""
        return np.asarray(1.3 * self.width_px**2 / self.skin.shape[1])


def draw_people(random: np.random.Generator, terms: dict[str, BoolArray], maps: FaceMaps, config: SimulationConfig) -> People:
    """Draw the people of B windows; a wall, a photograph and a drawn face are people without a pulse."""
    count, blocks = len(terms["no_pulse"]), len(maps.skin)
    unseen = config.settings == "unseen"
    place = np.clip(random.normal(1.6, 1.0, count), 0, len(face.SKIN_TONES) - 1)
    tones = np.array(list(face.SKIN_TONES.values()))
    color = np.stack([np.interp(place, np.arange(len(tones)), tones[:, channel]) for channel in range(3)], axis=1)
    color *= random.uniform(0.55, 0.95, (count, 1))
    # white balance of the camera and color of the lamp
    color *= np.exp(random.normal(0, 0.12 if unseen else 0.08, (count, 3)) * (1.0, 0.3, 1.0))

    skin = np.clip(maps.skin * np.exp(random.normal(0, 0.12, (count, blocks))), 0, 1)
    for share, part in ((0.25, maps.down < -0.7), (0.20, maps.down > 0.4), (0.25, np.abs(maps.down + 0.5) < 0.2)):
        # fringe, beard, glasses
        covers = (random.random(count) < share)[:, None] & part
        skin = np.where(covers, skin * random.uniform(0.1, 0.9, (count, 1)), skin)
    other = random.uniform(15, 150, (count, 1, 1)) * random.uniform(0.8, 1.2, (count, blocks, 3))
    shade = random.uniform(0.85, 1.1, (count, blocks)) * (1 + random.normal(0, 0.15, (count, 1)) * maps.across)
    shade = np.clip(shade, 0.4, 1.4)[:, :, None]

    # shine has the color of the light, and so adds most to the channel that skin reflects least
    specular = random.uniform(0, 0.25, (count, 1)) * maps.shine
    white = color.mean(axis=1, keepdims=True) / color
    lit = skin[:, :, None] * color[:, None, :]
    gloss = specular[:, :, None] * color.mean(axis=1)[:, None, None]
    base = shade * (lit + (1 - skin)[:, :, None] * other + gloss)
    base[terms["wall"]] = (
        random.uniform(20, 220, (count, 1, 1))
        * random.uniform(0.85, 1.15, (count, 1, 3))
        * random.uniform(0.97, 1.03, (count, blocks, 1))
    )[terms["wall"]]
    # a mask, a cap, or blocks here and there that hair, glasses or a wall fill
    some = np.argsort(random.random((count, blocks)), axis=1) < random.integers(1, max(2, blocks * 11 // 25 + 1), (count, 1))
    kind = random.random((count, 1))
    some = np.where(kind < 0.25, maps.down > random.uniform(0, 0.6, (count, 1)), np.where(kind < 0.35, maps.down < -0.4, some))
    replaced = terms["no_skin"][:, None] & some
    base = np.where(
        replaced[:, :, None], random.uniform(5, 200, (count, blocks, 1)) * random.uniform(0.8, 1.2, (count, blocks, 3)), base
    )
    skin = np.where(replaced | terms["wall"][:, None], 0, skin)

    # melanin absorbs light before it reaches blood
    strength = (0.0095 if unseen else 0.007) * np.exp(-0.22 * place) * np.exp(random.normal(0, 0.55 if unseen else 0.75, count))
    if not unseen:
        # as of a finger on the lens, or painted into a picture: that a rhythm is strong is no sign of a lamp
        strength *= factor_of_some(random, _STRONG_SHARE, 1, 5, count)
    signature = PULSE_RGB * np.exp(random.normal(0, 0.16 if unseen else 0.2, (count, 3)))
    perfusion = maps.perfusion * np.exp(random.normal(0, 0.25, (count, blocks)))
    visible = shade * lit / np.maximum(base, 1e-6)
    pulse = (strength[:, None] * perfusion * (skin > 0))[:, :, None] * signature[:, None, :] * np.minimum(visible, 1)
    pulse[terms["no_pulse"]] = 0
    width_px = log_uniform(random, 110, 420, count)
    width_px = np.where(terms["small_face"], log_uniform(random, 28, 90, count), width_px)
    return People(
        base=base,
        skin=skin,
        pulse=pulse,
        shine=maps.shine[:, None] * white[:, None, :] * np.maximum(skin, 0.2)[:, :, None],
        liveliness=np.exp(random.normal(0, 0.35, count)),
        width_px=width_px,
    )
