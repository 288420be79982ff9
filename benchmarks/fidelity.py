"""How much pulse the pipeline loses: stored blocks beside exact means over the true regions of drawn faces.

    python benchmarks/fidelity.py [--quick | --full] [--backend NAME] [--json FILE]

The default set takes some minutes on two cores, ``--quick`` one, ``--full`` every kind in every codec and both sizes. A face backend other
than dlib68 has the aims and the error of landmarks of dlib's convention beside it, and is not tried on faces that leave.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from clips import CODECS, HD, KINDS, RATE_HZ, VGA, clip, default_folder, scene_of
from events import run_events
from real import run_real
from tables import machine, show, show_machine
from truth import TrueRegion, fit_pulse, landmark_errors, measured_nodes

from stmap_pipeline.blocks.means import block_means
from stmap_pipeline.config import Config
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import ClockSource, Recording, RoiGrid, VideoSource
from stmap_pipeline.video import open_stream

FRAMES = 300
# Blocks with at least this share of skin are judged.
_SKIN = 0.9


@dataclass(frozen=True)
class Cell:
    """One clip to measure."""

    kind: str
    codec: str
    size_px: tuple[int, int] = VGA
    person: int = 0
    mode: str = "tracked"


@dataclass(frozen=True)
class Fidelity:
    """What was measured in a cell; SNR in decibels, losses positive where the pipeline is worse than the truth."""

    true_db: float
    face_true_db: float
    means_loss_db: float
    amplitude: float
    amplitude_worst: float
    loss_db: float
    worst_loss_db: float
    face_loss_db: float
    nme_percent: float
    jitter_px: float
    change_px: float
    steady_jitter_px: float
    skin_blocks: int
    lost_frames: int
    restarts: int


def settings(mode: str, backend: str) -> Config:
    """Return the settings of a mode with a face backend."""
    if mode == "per-frame":
        return Config.from_mapping({"faces": {"mode": mode, "backend": backend}, "blocks": {"align": "eyes"}})
    return Config.from_mapping({"faces": {"backend": backend}})


def measure(cell: Cell, folder: Path, backend: str) -> Fidelity:
    """Build a clip and compare with its truth."""
    scene = scene_of(cell.kind, cell.size_px, cell.person)
    config = settings(cell.mode, backend)
    path = clip(folder, scene, f"{cell.kind}{cell.person}", cell.codec, FRAMES)
    recording = Recording("clip", "drawn", "clip", VideoSource(path), ClockSource("constant", rate_hz=RATE_HZ))
    built = build_recording(recording, config)
    grid, found = RoiGrid(config.blocks.rows, config.blocks.cols), built.track.found
    times_s = np.arange(FRAMES) / RATE_HZ
    region = TrueRegion(scene, measured_nodes(built.track, grid, config.blocks), times_s, grid)
    true = np.zeros((FRAMES, grid.count))
    alone = np.zeros_like(true)
    with open_stream(recording) as stream:
        for frame in stream:
            now_s = times_s[frame.index]
            true[frame.index] = region.means(frame.image, now_s)[:, 1]
            placed = region.placed(now_s)
            alone[frame.index] = block_means([frame.image], placed[None], region.edges)[0][0, :, 1]
    skin = region.skin_share() > _SKIN
    wave = np.array([scene.pulse.green_change(now_s) for now_s in times_s])[found]
    traces = [true[found][:, skin], alone[found][:, skin], built.blocks.means[found][:, skin, 1].astype(float)]
    blocks = [fit_pulse(one, wave, RATE_HZ) for one in traces]
    faces = [float(fit_pulse(one.mean(axis=1, keepdims=True), wave, RATE_HZ).snr_db[0]) for one in traces]
    loss = blocks[0].snr_db - blocks[2].snr_db
    amplitudes = blocks[1].amplitude / blocks[0].amplitude
    marks = landmark_errors(built.track, scene, times_s)
    return Fidelity(
        float(np.median(blocks[0].snr_db)),
        faces[0],
        float(np.median(blocks[0].snr_db - blocks[1].snr_db)),
        float(np.median(amplitudes)),
        float(amplitudes[np.argmax(np.abs(amplitudes - 1))]),
        float(np.median(loss)),
        float(loss.max()),
        faces[0] - faces[2],
        marks.nme_percent,
        marks.jitter_px,
        marks.change_px,
        marks.steady_jitter_px,
        int(skin.sum()),
        int((~found).sum()),
        int(built.attributes["restarts"]),
    )


def cells(scope: str) -> Iterator[Cell]:
    """Yield the cells to measure."""
    if scope == "quick":
        yield from (Cell(kind, "lossless") for kind in ("move", "talk", "turn"))
        yield Cell("move", "h264-4M")
        yield Cell("move", "lossless", mode="per-frame")
        return
    codecs = [codec for codec in CODECS if codec != "h264-8M"]
    if scope == "default":
        yield from (Cell(kind, "lossless") for kind in KINDS)
        yield from (Cell("move", codec) for codec in codecs[1:])
        # each codec meets each kind of trouble in the full set only
        pairs = zip([kind for kind in KINDS if kind != "move"], [*codecs[1:], *codecs[1:]], strict=False)
        yield from (Cell(kind, codec) for kind, codec in pairs)
        yield from (Cell(kind, codec, HD) for kind, codec in (("move", "h264-8M"), ("move", "mjpeg"), ("talk", "h264-8M")))
    else:
        yield from (Cell(kind, codec) for kind in KINDS for codec in codecs)
        high = ("lossless", "mjpeg", "mpeg4", "h264-8M", "h264-low")
        yield from (Cell(kind, codec, HD) for kind in KINDS for codec in high)
        yield from (Cell(kind, codec, person=person) for person in (1, 2) for kind in KINDS for codec in ("lossless", "h264-4M"))
    for kind, codec in (("move", "lossless"), ("move", "h264-4M"), ("talk", "mjpeg")):
        yield Cell(kind, codec, mode="per-frame")


def row(cell: Cell, one: Fidelity) -> list[str]:
    """Format a line of the table."""
    return [
        cell.kind + (f" #{cell.person + 1}" if cell.person else "") + (" (per-frame)" if cell.mode == "per-frame" else ""),
        cell.codec,
        f"{cell.size_px[0]}x{cell.size_px[1]}",
        f"{one.true_db:.1f} / {one.face_true_db:.1f}",
        f"{one.means_loss_db:.2f}",
        f"{one.amplitude:.3f} ({one.amplitude_worst:.3f})",
        f"{one.loss_db:.2f}",
        f"{one.worst_loss_db:.2f}",
        f"{one.face_loss_db:.2f}",
        f"{one.nme_percent:.2f}",
        f"{one.jitter_px:.3f} / {one.change_px:.3f} / {one.steady_jitter_px:.3f}",
        f"{one.lost_frames}, {one.restarts}",
    ]


HEAD = (
    "clip",
    "codec",
    "size",
    "true block / face dB",
    "means alone",
    "amplitude",
    "loss",
    "worst",
    "face",
    "NME %",
    "jitter / change of error / steady points, px",
    "lost, restarts",
)


def aims(results: list[tuple[Cell, Fidelity]]) -> list[list[str]]:
    """Compare the results with what was aimed at: the worst cell decides."""
    ours = [(cell, one) for cell, one in results if cell.mode == "tracked"]

    def line(name: str, limit: float, chosen: list[tuple[float, Cell]]) -> list[str]:
        if not chosen:
            return [name, f"<= {limit}", "not measured", ""]
        value, cell = max(chosen, key=lambda pair: pair[0])
        where = f"{cell.kind} {cell.codec} {cell.size_px[0]}"
        return [name, f"<= {limit}", f"{value:.3f} ({where})", "ok" if value <= limit else "SHORT"]

    soft = ("talk", "turn", "nod")
    return [
        line("block means alone, median loss, dB", 0.5, [(one.means_loss_db, cell) for cell, one in ours]),
        line("block means alone, amplitude off by", 0.02, [(abs(one.amplitude - 1), cell) for cell, one in ours]),
        line("end to end, in plane, median loss, dB", 1.0, [(one.loss_db, cell) for cell, one in ours if cell.kind not in soft]),
        line("end to end, talk and turns, median loss, dB", 2.0, [(one.loss_db, cell) for cell, one in ours if cell.kind in soft]),
        line("end to end, worst block, dB", 6.0, [(one.worst_loss_db, cell) for cell, one in ours]),
        line("landmarks, NME in %", 0.6, [(one.nme_percent, cell) for cell, one in ours]),
        line("landmarks, jitter at 640x480, px", 0.1, [(one.jitter_px, cell) for cell, one in ours if cell.size_px == VGA]),
        line("the same, steady points", 0.1, [(one.steady_jitter_px, cell) for cell, one in ours if cell.size_px == VGA]),
        line(
            "change of the error, without talk",
            0.1,
            [(one.change_px, cell) for cell, one in ours if cell.size_px == VGA and cell.kind != "talk"],
        ),
        line(
            "change of the error, lips that talk included",
            0.1,
            [(one.change_px, cell) for cell, one in ours if cell.size_px == VGA],
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const="quick", dest="scope", help="five cells")
    size.add_argument("--full", action="store_const", const="full", dest="scope", help="every kind in every codec and size")
    parser.add_argument("--backend", default=Config().faces.backend, help="face backend")
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    parser.add_argument("--clips", type=Path, default=default_folder(), help="where rendered clips are kept")
    arguments = parser.parse_args()
    scope = arguments.scope or "default"
    cv2.setNumThreads(1)
    start = time.perf_counter()
    show_machine()
    results = []
    for cell in cells(scope):
        results.append((cell, measure(cell, arguments.clips, arguments.backend)))
        print("  " + "  ".join(row(*results[-1])), flush=True)
    show("Pulse in the blocks: true SNR in dB, and what is lost", HEAD, [row(*one) for one in results])
    events = run_events(arguments.clips) if arguments.backend == Config().faces.backend else []
    show(
        "A face that leaves, and others that come",
        ("event", "lost after s", "back after s", "frames on another", "counted", ""),
        events,
    )
    real = run_real(*(settings(mode, arguments.backend) for mode in ("tracked", "per-frame")))
    show("POS on real recordings", ("recording", "ours", "per-frame", ""), real)
    summary = aims(results)
    show("Aims", ("what", "aim", "worst cell", ""), summary)
    print(f"\n{time.perf_counter() - start:.0f} s")
    if arguments.json:
        content = {
            "machine": machine(),
            "backend": arguments.backend,
            "cells": [asdict(cell) | asdict(one) for cell, one in results],
            "events": events,
            "real": real,
            "aims": summary,
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
