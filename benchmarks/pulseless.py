"""Clips without a pulse: photographs of faces that lie still, are moved by hand, or lie under a lamp that flickers, and drawn faces.

    python benchmarks/pulseless.py OUT VIDEO...

Takes three frames of each video as photographs, films each of them in 16 ways, and adds 40 drawn faces without a pulse, 12 s each. OUT gets the clips and
``truth.csv``, as benchmarks/estimate_family.py reads it. A lamp multiplies linear light: rates from 48 to 189 per minute, depths of 0.3 to 3 %,
as colored as lamps are; each video has the same 36 ones. What is recorded has the noise of a sensor, and is compressed with H.264.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from clips import RATE_HZ, drawn_frames, write_once, write_truth

from stmap_pipeline.simulation.pulse import Pulse
from stmap_pipeline.synth.encode import Codec, Frame
from stmap_pipeline.synth.scene import Scene, make_scene

Image = npt.NDArray[np.float32]

DURATION_S, GAMMA, NOISE_LEVELS = 12.0, 2.2, 1.5
PHOTOS_PER_VIDEO, DRAWN = 3, 40
LARGEST_PX = 400
_SHIFT_PX = 128
LAMP_BPM, LAMP_DEPTH = (48, 66, 84, 102, 120, 144, 162, 189), (0.003, 0.01, 0.03)
MOVED_LAMP_BPM = (57, 93, 135, 171)


@dataclass(frozen=True, slots=True)
class Filming:
    """How a photograph is filmed: rate of the camera and of a lamp (0 for none), whether it is moved, and quality of the codec."""

    name: str
    rate_hz: float
    crf: int
    moved: bool = False
    lamp_bpm: float = 0.0


WAYS = (
    Filming("still_30", 30.0, 18),
    Filming("still_25", 25.0, 28),
    Filming("moved_30", 30.0, 18, moved=True),
    Filming("moved_25", 25.0, 26, moved=True),
    *(
        Filming(f"lamp_{bpm}", (30.0, 25.0)[place % 2], (18, 23)[place // 2 % 2], lamp_bpm=bpm)
        for place, bpm in enumerate(LAMP_BPM)
    ),
    *(Filming(f"both_{bpm}", 30.0, 20, moved=True, lamp_bpm=bpm) for bpm in MOVED_LAMP_BPM),
)


def photographs(video: Path) -> Iterator[Frame]:
    """Yield frames of the first third of a video, RGB."""
    stream = cv2.VideoCapture(str(video))
    frames = []
    while (found := stream.read())[0]:
        frames.append(found[1])
    if not frames:
        sys.exit(f"{video}: no frame can be read")
    for place in range(PHOTOS_PER_VIDEO):
        frame = cv2.cvtColor(frames[len(frames) * (2 * place + 1) // (5 * PHOTOS_PER_VIDEO)], cv2.COLOR_BGR2RGB)
        scale = min(1.0, LARGEST_PX / max(frame.shape[:2]))
        height, width = (round(scale * side / 2) * 2 for side in frame.shape[:2])
        yield np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def film(photo: Frame, way: Filming, seed: int) -> Iterator[tuple[float, Frame]]:
    """Yield times and frames of a filmed photograph."""
    random = np.random.default_rng(seed)
    times_s = np.arange(round(DURATION_S * way.rate_hz)) / way.rate_hz
    height, width = photo.shape[:2]
    # a hand: three slow waves for each of x, y, roll and size
    rates_hz, phases = np.exp(random.uniform(np.log(0.2), np.log(3.0), (3, 4))), random.uniform(0, 2 * np.pi, (3, 4))
    moves = np.sin(2 * np.pi * rates_hz * times_s[:, None, None] + phases) / rates_hz
    pose = moves.sum(axis=1) * np.array([0.006 * width, 0.006 * width, 0.6, 0.004]) * way.moved
    depth = float(random.choice(LAMP_DEPTH)) * (way.lamp_bpm > 0)
    # warmer or colder than the other light
    color = np.exp(random.normal(0, 0.15) * np.array([-1, 0, 1]) + random.normal(0, 0.05, 3))
    lamp = np.sin(2 * np.pi * way.lamp_bpm / 60 * times_s)
    if random.random() < 0.5:
        lamp = np.tanh(2 * lamp)

    def seen() -> Iterator[Image]:
        for (x, y, roll_deg, size), wave in zip(pose, lamp, strict=True):
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(roll_deg), 1.0 + float(size))
            turn[:, 2] += (x, y)
            moved = cv2.warpAffine(photo, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            yield moved.astype(np.float32) * ((1 + depth * wave * color) ** (1 / GAMMA)).astype(np.float32)

    yield from zip(times_s.tolist(), recorded(seen(), random), strict=True)


def recorded(images: Iterable[Image], random: np.random.Generator) -> Iterator[Frame]:
    """Yield images (H, W, 3) of one size with the noise of a sensor, in whole gray levels."""
    noise: Image | None = None
    for image in images:
        height, width = image.shape[:2]
        if noise is None:
            # a few pictures of noise, cut out at other places in each frame: drawing each anew takes most of the time
            noise = random.normal(0, 1.6 * NOISE_LEVELS, (4, height + _SHIFT_PX, width + _SHIFT_PX, 3)).astype(np.float32)
            noise = np.stack([cv2.GaussianBlur(one, (0, 0), 0.6) for one in noise])
        down, right = random.integers(0, _SHIFT_PX, 2)
        level = image + noise[random.integers(len(noise)), down : down + height, right : right + width]
        yield np.rint(level).clip(0, 255).astype(np.uint8)


def drawn(number: int) -> Scene:
    """Draw a face without a pulse."""
    scene = make_scene(9000 + number, ("easy", "hard")[number % 2], heart_rate_bpm=70.0)
    return replace(scene, pulse=Pulse(70.0, 0.0))


def h264(crf: int) -> Codec:
    """Return H.264 of a quality."""
    return Codec("libx264", "mp4", False, (("preset", "veryfast"), ("crf", str(crf)), ("x264-params", "threads=1:mbtree=0")))


def main(out: Path, videos: list[Path]) -> None:
    """Make all clips and their table."""
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    names = []
    for video in videos:
        for number, photo in enumerate(photographs(video)):
            for place, way in enumerate(WAYS):
                names.append(f"{video.stem}_{number}_{way.name}.mp4")
                size_px = photo.shape[1], photo.shape[0]
                write_once(out / names[-1], film(photo, way, 1000 * number + place), h264(way.crf), size_px, way.rate_hz)
    for number in range(DRAWN):
        names.append(f"drawn_{number}.mp4")
        scene = drawn(number)
        write_once(
            out / names[-1], drawn_frames(scene, round(DURATION_S * RATE_HZ)), h264((18, 23)[number // 2 % 2]), scene.size_px
        )
    write_truth(out, ((name, "") for name in names))
    print(f"{len(names)} clips in {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
