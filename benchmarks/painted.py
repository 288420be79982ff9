"""Clips of photographs into whose faces a pulse is painted: nothing moves, and nothing but the face changes.

    python benchmarks/painted.py OUT VIDEO...

Takes three frames of each video as photographs and paints 18 pulses into the face of each one, 12 s: rates from 48 to 150 bpm, with amplitudes of 0.5, 1 and 2 % of
the gray level in green (not of linear light); sines of a constant rate, sines whose rate varies, and waves with a second harmonic. OUT gets the clips and
``truth.csv``, as benchmarks/estimate_family.py reads it. What is recorded has the noise of a sensor, and is compressed with H.264. Such clips are easy to make for trying a method; in
real videos heads move.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from clips import RATE_HZ, write_once, write_truth
from pulseless import DURATION_S, Image, h264, photographs, recorded

from stmap_pipeline.faces.dlib68 import Dlib68
from stmap_pipeline.simulation.pulse import PULSE_RGB, pulse_wave
from stmap_pipeline.synth.encode import Frame

RATES_BPM = (48.0, 55.0, 63.0, 72.0, 84.0, 96.0, 110.0, 130.0, 150.0)
_EDGE_SIGMA_PX = 4.0


@dataclass(frozen=True, slots=True)
class Painting:
    """A pulse and the codec that compresses it.

    Parameters
    ----------
    rate_bpm, varies_bpm : float
        Mean, and by how much the rate goes up and down around it.
    second_harmonic : float
        Amplitude relative to that of the first.
    amplitude : float
        In green, relative to its gray level.
    crf : int
        Quality of H.264; more is coarser.
    """

    rate_bpm: float
    varies_bpm: float
    second_harmonic: float
    amplitude: float
    crf: int

    @property
    def name(self) -> str:
        """Part of the name of a clip."""
        shape = "second" if self.second_harmonic else "varying" if self.varies_bpm else "sine"
        return f"{self.rate_bpm:.0f}_{shape}_{1000 * self.amplitude:.0f}_crf{self.crf}"


def paintings() -> Iterator[Painting]:
    """Yield two pulses of each rate: a weak one, compressed little, and a strong one, compressed more."""
    shapes = ((0.0, 0.0), (2.0, 0.0), (0.0, 0.35))
    for number, rate_bpm in enumerate(RATES_BPM):
        # each rate has two of the three shapes, so that no shape has rates or codecs of its own
        yield Painting(rate_bpm, *shapes[number % 3], (0.005, 0.01)[number % 2], 18)
        yield Painting(rate_bpm, *shapes[(number + 1) % 3], 0.02, (20, 23)[number % 2])


def skin_of(photo: Frame, backend: Dlib68) -> Image | None:
    """Return how much of each pixel is face (H, W), from 0 to 1 with soft edges; None where no face is found."""
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    boxes = backend.detect(gray)
    if not boxes:
        return None
    box = max(boxes, key=lambda one: one.width)
    points = backend.landmarks(gray, box)
    # up to the hair: the landmarks end at the brows
    above = points.mean(axis=0) + 1.5 * (points[17:27] - points.mean(axis=0))
    hull = cv2.convexHull(np.concatenate([points, above]).astype(np.float32))
    mask = cv2.fillConvexPoly(np.zeros(gray.shape, np.float32), np.rint(hull).astype(np.int32), 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), _EDGE_SIGMA_PX), dtype=np.float32)


def paint(photo: Frame, skin: Image, painting: Painting, seed: int) -> Iterator[tuple[float, Frame]]:
    """Yield times and frames of a photograph whose face has a pulse."""
    times_s = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    rate_bpm = painting.rate_bpm + painting.varies_bpm * np.sin(2 * np.pi * 0.1 * times_s)
    beats = np.cumsum(rate_bpm) / 60 / RATE_HZ
    # phase of the second harmonic in rad, as in drawn faces
    wave = pulse_wave(beats, [(1.0, 0.0), (painting.second_harmonic, 0.6)])
    change = painting.amplitude * skin[:, :, None] * PULSE_RGB.astype(np.float32)
    images = (photo * (1 - np.float32(one) * change) for one in wave)
    yield from zip(times_s.tolist(), recorded(images, np.random.default_rng(seed)), strict=True)


def main(out: Path, videos: list[Path]) -> None:
    """Make all clips and their table."""
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    rows, backend = [], Dlib68()
    for video in videos:
        for number, photo in enumerate(photographs(video)):
            if (skin := skin_of(photo, backend)) is None:
                print(f"{video}: no face in photograph {number}")
                continue
            for place, painting in enumerate(paintings()):
                name = f"{video.stem}_{number}_{painting.name}.mp4"
                size_px = photo.shape[1], photo.shape[0]
                write_once(out / name, paint(photo, skin, painting, 1000 * number + place), h264(painting.crf), size_px, RATE_HZ)
                rows.append((name, f"{painting.rate_bpm:g}"))
    write_truth(out, rows)
    print(f"{len(rows)} clips in {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
