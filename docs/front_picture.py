"""Draw the picture of README.md: ``python docs/front_picture.py MAPS VIDEO RECORDING SHOW.png REPORT.png docs/front.png``.

The faces are drawn ones::

    stmap synth videos --layout vipl-hr --subjects 2 --seed 3 --duration 12
    stmap build-maps --db vipl-hr videos maps
    stmap show maps p001_v1-2_source1 --output show.png
    stmap report maps --output report.html
    python docs/screenshot.py report.html report.png --width 1100 --height 1480
    python docs/front_picture.py maps videos/data/p1/v1-2/source1/video.avi p001_v1-2_source1 show.png report.png docs/front.png
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import av
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread
from PIL import Image

from stmap_pipeline.blocks.grid import face_box
from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.faces.pose import transform
from stmap_pipeline.shards import Shards


def main() -> None:
    """Put a face with its grid, the map with its pulse, and the report beside each other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("maps", "video"):
        parser.add_argument(name, type=Path)
    parser.add_argument("recording")
    for name in ("show", "report", "picture"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    result = Shards(options.maps).recording(options.recording)

    figure = Figure(figsize=(15, 3.9), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(1, 3, width_ratios=(1.0, 2.0, 1.0))
    face, shown, page = (figure.add_subplot(one) for one in grid)
    with av.open(str(options.video)) as container:
        face.imshow(next(container.decode(video=0)).to_ndarray(format="rgb24"))
    blocks = result.blocks.grid
    box = face_box(result.track.points_px[0], blocks, BlocksConfig().height_factor)
    for column in range(blocks.cols + 1):
        face.plot(*transform(box, np.array([[column, 0], [column, blocks.rows]], dtype=float)).T, color="white", linewidth=1.4)
    for row in range(blocks.rows + 1):
        face.plot(*transform(box, np.array([[0, row], [blocks.cols, row]], dtype=float)).T, color="white", linewidth=1.4)
    face.set_title("1  blocks on a tracked face (a drawn one)", fontsize=11, loc="left")

    drawn = imread(options.show)
    height, width = drawn.shape[:2]
    # the second map and the pulse below it
    shown.imshow(drawn[round(0.302 * height) : round(0.727 * height), : round(0.763 * width)], interpolation="lanczos")
    shown.set_title(
        "2  spatial-temporal map: a stripe for each heart beat; pulse by camera and contact sensor", fontsize=11, loc="left"
    )
    drawn = imread(options.report)
    page.imshow(drawn[: round(0.8 * len(drawn))], interpolation="lanczos")
    page.set_title("3  report", fontsize=11, loc="left")
    for axes in (face, shown, page):
        axes.set_axis_off()
        axes.set_anchor("N")

    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    # a palette makes it a third as large
    Image.open(data).convert("RGB").quantize(256).save(options.picture, optimize=True)


if __name__ == "__main__":
    main()
