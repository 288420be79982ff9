"""Videos and label files damaged in every way that a disk, a network or an attacker can; reproducible by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from support.videos import write_video

# container, codec, pixel format, options
_KINDS = (
    ("mp4", "libx264", "yuv420p", {"preset": "ultrafast", "g": "5"}),
    ("avi", "mjpeg", "yuvj420p", {}),
    ("avi", "mpeg4", "yuv420p", {}),
    ("avi", "rawvideo", "yuv420p", {}),
    ("mkv", "ffv1", "yuv420p", {}),
    ("mkv", "libx264", "yuv420p10le", {"preset": "ultrafast"}),
    ("webm", "libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    ("mov", "libx264", "yuv444p", {"preset": "ultrafast"}),
    ("wmv", "wmv2", "yuv420p", {}),
    ("mpg", "mpeg1video", "yuv420p", {}),
)


def base_videos(folder: Path) -> list[tuple[str, bytes]]:
    """Encode one second of moving color in each kind; suffix and content."""
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:96, 0:96]
    frames = [
        np.stack([128 + 60 * np.sin((x + 3 * index) / 9 + phase) * np.cos(y / 7) for phase in (0, 1, 2)], -1).astype(np.uint8)
        for index in range(25)
    ]
    videos = []
    for number, (suffix, codec, pixels, options) in enumerate(_KINDS):
        path = write_video(folder / f"{number}.{suffix}", frames, codec=codec, pixel_format=pixels, rate_hz=25.0, options=options)
        videos.append((suffix, path.read_bytes()))
    return videos


def _truncate(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data)) :]


def _flip_bits(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 3, 10, 100))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_header(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 3, 10))):
        data[rng.randrange(min(len(data), 600))] = rng.randrange(256)


def _huge_number(rng: random.Random, data: bytearray) -> None:
    # sizes, counts and lengths stand in the first bytes, or the last where an index follows the pictures
    start = rng.choice((0, max(0, len(data) - 2000)))
    at = rng.randrange(start, min(len(data), start + 2000))
    data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x80", b"\x00\x00\x00\x00"))


def _zeros(rng: random.Random, data: bytearray) -> None:
    at, length = rng.randrange(len(data)), rng.choice((10, 512, 4096))
    data[at : at + length] = bytes(len(data[at : at + length]))


def _cut_out(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 100, 4096))]


def _repeat(rng: random.Random, data: bytearray) -> None:
    at, length = rng.randrange(len(data)), rng.choice((10, 1000, 10_000))
    data[at:at] = data[at : at + length] * rng.choice((1, 5))


def _noise(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.choice((1, 50, 5000)))


def _swap(rng: random.Random, data: bytearray) -> None:
    one, other, length = rng.randrange(len(data)), rng.randrange(len(data)), 700
    first, second = bytes(data[one : one + length]), bytes(data[other : other + length])
    data[one : one + length], data[other : other + length] = second, first


Mutation = Callable[[random.Random, bytearray], None]
MUTATIONS: tuple[Mutation, ...] = (_truncate, _flip_bits, _flip_header, _huge_number, _zeros, _cut_out, _repeat, _noise, _swap)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Damage some bytes in one to three ways."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if changed:
            rng.choice(MUTATIONS)(rng, changed)
    return bytes(changed)


_GOOD_LABEL = "time_s,heart_rate_bpm\n" + "".join(f"{second / 10},{70 + second % 5}\n" for second in range(20))
_LABELS: tuple[str | bytes, ...] = (
    "",
    "time_s,heart_rate_bpm\n",
    "time_s,heart_rate_bpm\n" + "0,nan\n1,NaN\n2,\n",
    "time_s,heart_rate_bpm\n" + "0,seventy\n1,rest\n",
    "time_s,heart_rate_bpm\n" + "0,70\n0,71\n",
    "time_s,heart_rate_bpm\n" + "1,70\n0,71\n",
    "time_s,heart_rate_bpm\n" + "0,1e309\n1,-1e309\n",
    "time_s,heart_rate_bpm\n" + "0,-5\n1,99999\n",
    "time_s,heart_rate_bpm\n" + "9" * 70_000 + ",1\n",
    ",".join(["1"] * 1_000_000) + "\n",
    "\n".join([",".join(["1"] * 999)] * 50),
    "\0" * 5000,
    _GOOD_LABEL.encode("utf-16"),
    _GOOD_LABEL.replace("\n", "\r").encode(),
    b"\xff\xfe\x00\x01" * 300,
    '"' * 10_000,
    '"time_s,heart_rate_bpm\n0,70\n',
    "time_s,heart_rate_bpm,heart_rate_bpm\n0,70,71\n",
    "heart_rate_bpm\n70\n",
    "time_s;heart_rate_bpm\n0;70\n",
    "0\n" * 100_000,
)


def damaged_label(rng: random.Random) -> bytes:
    """Return a label file that no device wrote."""
    if rng.random() < 0.5:
        chosen = rng.choice(_LABELS)
        return chosen.encode() if isinstance(chosen, str) else chosen
    return mutated(rng, _GOOD_LABEL.encode())


def write_tree(root: Path, count: int, seed: int) -> Path:
    """Write a source folder of so many recordings: two thirds have a damaged video, the others a damaged label or clock."""
    rng = random.Random(seed)  # noqa: S311
    bases = base_videos(root.with_name(root.name + "-bases"))
    root.mkdir()
    entries = []
    for number in range(count):
        suffix, data = bases[number % len(bases)]
        name = f"v{number:04d}"
        kind = ("video", "video", "label", "video", "video", "clock")[number % 6]
        (root / f"{name}.{suffix}").write_bytes(mutated(rng, data) if kind == "video" else data)
        entry = f'[[recording]]\nvideo = "{name}.{suffix}"\n'
        if kind == "clock":
            (root / f"{name}.txt").write_bytes(damaged_label(rng))
            entry += f'times = "{name}.txt"\n'
        else:
            (root / f"{name}.csv").write_bytes(damaged_label(rng) if kind == "label" else _GOOD_LABEL.encode())
            entry += f'[[recording.label]]\nfile = "{name}.csv"\ncolumn = "heart_rate_bpm"\ntime_column = "time_s"\n'
        entries.append(entry)
    (root / "database.toml").write_text("\n".join(entries))
    return root
