"""The clips that both benchmarks measure on: drawn faces with a known pulse, and how they are packed."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from stmap_pipeline.simulation.pulse import Pulse, Sines
from stmap_pipeline.synth.encode import Codec, Frame, write_video
from stmap_pipeline.synth.scene import Acting, HeadMotion, Illumination, Scene, SensorNoise, make_scene

RATE_HZ = 30.0
HEART_RATE_BPM = 72.0
PULSE_LEVELS = 0.2
VGA, HD = (640, 480), (1920, 1080)

_FAST = ("preset", "fast")
CODECS = {
    "lossless": Codec("ffv1", "matroska", subsampling=(1, 1)),
    "mjpeg": Codec("mjpeg", "avi", True, (("qmin", "3"), ("qmax", "3")), (1, 2)),
    "mpeg4": Codec("mpeg4", "avi", False, (("qmin", "3"), ("qmax", "3"))),
    "h264-4M": Codec("libx264", "mp4", False, (("b", "4000000"), _FAST)),
    "h264-8M": Codec("libx264", "mp4", False, (("b", "8000000"), _FAST)),
    "h264-low": Codec("libx264", "mp4", False, (("crf", "23"), _FAST)),
}
KINDS = ("still", "move", "move3", "talk", "turn", "light", "nod")
# who is drawn for each kind: several faces, all tones
_PEOPLE = {
    "still": (1, "medium"),
    "move": (2, "light"),
    "move3": (3, "very_light"),
    "talk": (4, "dark"),
    "turn": (5, "medium"),
    "light": (6, "very_dark"),
    "nod": (5, "medium"),
}


def scene_of(kind: str, size_px: tuple[int, int] = VGA, person: int = 0) -> Scene:
    """Draw a person doing what ``kind`` says; ``person`` counts further people of the same kind."""
    seed, tone = _PEOPLE[kind]
    seed += 10 * person
    base = make_scene(seed, "easy", heart_rate_bpm=HEART_RATE_BPM, skin_tone=tone, size_px=size_px)
    motion, acting, light = HeadMotion(), Acting(seed, 0.0), Illumination()
    if kind != "still":
        k = 3.0 if kind == "move3" else 1.0
        motion = HeadMotion(
            Sines((0.03 * k, 0.006 * k), (1.0, 0.23), (0.0, 1.0)),
            Sines((0.02 * k, 0.01 * k), (1.0, 0.31), (1.0, 2.0)),
            Sines((1.5 * k,), (0.4,), (0.0,)),
            Sines((0.02 * k,), (0.3,), (0.5,)),
        )
    if kind == "turn":
        motion = replace(motion, yaw_deg=Sines((10.0,), (0.25,), (0.0,)), pitch_deg=Sines((6.0,), (0.17,), (1.0,)))
    if kind == "nod":
        # out of the plane at the rate of the pulse: the hardest there is for a box that moves in the plane
        motion = replace(motion, yaw_deg=Sines((0.3,), (1.0,), (0.7,)), pitch_deg=Sines((0.3,), (1.1,), (0.2,)))
    if kind == "talk":
        acting = make_scene(seed, "hard", talking=True).acting
    if kind == "light":
        light = Illumination(1.0, Sines((0.15,), (0.2,), (0.0,)))
    return replace(
        base,
        motion=motion,
        acting=acting,
        light=light,
        noise=SensorNoise(1.5, seed),
        pulse=Pulse(HEART_RATE_BPM, PULSE_LEVELS / (0.9 * float(base.identity.skin[1]))),
    )


def default_folder() -> Path:
    """Return the folder in which clips are kept from one run to the next."""
    return Path(tempfile.gettempdir()) / "stmap-benchmarks"


def clip(folder: Path, scene: Scene, name: str, codec: str, frames: int) -> Path:
    """Render a scene into a file, once."""
    path = folder / f"{name}-{scene.size_px[0]}x{scene.size_px[1]}-{codec}-{frames}.{CODECS[codec].container}"
    write_once(path, drawn_frames(scene, frames), CODECS[codec], scene.size_px)
    return path


def drawn_frames(scene: Scene, frames: int) -> Iterator[tuple[float, Frame]]:
    """Yield times and frames of a scene."""
    for index in range(frames):
        yield index / RATE_HZ, scene.render(index / RATE_HZ, index)


def write_once(
    path: Path, frames: Iterable[tuple[float, Frame]], codec: Codec, size_px: tuple[int, int], rate_hz: float = RATE_HZ
) -> None:
    """Write a clip, unless it is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # under another name until it is whole: a run that is stopped must leave no half clip
    write_video(path.with_suffix(".part"), frames, codec, size_px, rate_hz)
    path.with_suffix(".part").replace(path)


def write_truth(folder: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write names of clips and their heart rates, empty where there is no pulse, as benchmarks/estimate_family.py reads them."""
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "true_bpm"))
        table.writerows(rows)
