"""Tracking and block means of a video file, computed once per session and setting."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2

from stmap_pipeline.blocks import Measurement, measure_blocks
from stmap_pipeline.config import BlocksConfig, Config
from stmap_pipeline.faces import TrackingStats, track
from stmap_pipeline.faces.dlib68 import Dlib68
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.video import open_stream

cv2.setNumThreads(1)


@cache
def backend() -> Dlib68:
    return Dlib68()


@cache
def measure(path: Path, mask: str = "none", mode: str = "tracked") -> tuple[Measurement, TrackingStats]:
    config = Config.from_mapping(
        {"faces": {"mode": mode}, "blocks": {"mask": mask, "align": "eyes" if mode == "per-frame" else "pose"}}
    )
    return measure_with(path, config.blocks, config)


def measure_with(path: Path, blocks: BlocksConfig, config: Config | None = None) -> tuple[Measurement, TrackingStats]:
    stats = TrackingStats()
    with open_stream(Recording("a", "folder", "a", VideoSource(path))) as stream:
        return measure_blocks(track(stream, (config or Config()).faces, backend(), stats), blocks), stats
