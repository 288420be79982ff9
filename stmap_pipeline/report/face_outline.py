"""Where the blocks lie: the grid on the outline of a mean face, and on a frame of the recording itself where faces may be shown."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.grid import face_box, grid_corners_px
from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.errors import StmapError
from stmap_pipeline.records import Recording, RecordingResult, RoiGrid
from stmap_pipeline.report.charts import Image
from stmap_pipeline.simulation.face import MEAN_SHAPE
from stmap_pipeline.video import open_stream

FloatArray = npt.NDArray[np.float64]

# parts of the 68-point order: first and last point, and whether the line is closed
_PARTS = ((0, 16, 0), (17, 21, 0), (22, 26, 0), (27, 30, 0), (31, 35, 0), (36, 41, 1), (42, 47, 1), (48, 59, 1), (60, 67, 1))
#: Blocks are numbered up to so many in a row or column; of finer grids the numbers could not be read.
_MOST_NUMBERS = 8
_SKETCH_PX = 150
# a crop is no larger than it is shown
_CROP_PX, _CROP_MARGIN, _JPEG_QUALITY = 360, 0.25, 82
_GRID_COLOR = (255, 255, 255)


def contours(shape: npt.ArrayLike) -> list[FloatArray]:
    """Return jaw, brows, nose, eyes and mouth of 68 landmarks as lines, closed ones with their first point at the end.

    Examples
    --------
    >>> [len(one) for one in contours(MEAN_SHAPE)]
    [17, 5, 5, 4, 5, 7, 7, 13, 9]
    """
    points = np.asarray(shape, dtype=np.float64)
    return [points[[*range(first, last + 1), *([first] if closed else [])]] for first, last, closed in _PARTS]


def sketch_corners(grid: RoiGrid, height_factor: float) -> FloatArray:
    """Return the corners of the blocks on the mean face: (2, rows + 1, cols + 1), x and y in eye distances.

    Examples
    --------
    >>> sketch_corners(RoiGrid(5, 5), 1.2).shape
    (2, 6, 6)
    """
    columns, rows = np.meshgrid(np.arange(grid.cols + 1.0), np.arange(grid.rows + 1.0))
    box = face_box(MEAN_SHAPE, grid, height_factor)
    return np.asarray(np.einsum("ij,jrc->irc", box, np.stack([columns, rows, np.ones_like(rows)])))


def block_names(grid: RoiGrid) -> list[tuple[int, str]]:
    """List the blocks that a drawing numbers: all, or of a fine grid those at its corners.

    Examples
    --------
    >>> [name for _, name in block_names(RoiGrid(2, 2))], [name for _, name in block_names(RoiGrid(12, 16))]
    (['0', '1', '2', '3'], ['0', '15', '176', '191'])
    """
    chosen: Sequence[int] = range(grid.count)
    if max(grid.rows, grid.cols) > _MOST_NUMBERS:
        chosen = sorted({0, grid.cols - 1, grid.count - grid.cols, grid.count - 1})
    return [(one, str(one)) for one in chosen]


def face_sketch(grid: RoiGrid, height_factor: float) -> str:
    """Draw the grid with the numbers of its blocks on the mean face, as SVG for a page. It shows nobody.

    Examples
    --------
    >>> face_sketch(RoiGrid(2, 2), 1.2)[:25], face_sketch(RoiGrid(2, 2), 1.2).count("<text")
    ('<svg class="sketch" role=', 4)
    """
    corners = sketch_corners(grid, height_factor)
    ends = np.concatenate([corners.reshape(2, -1).T, MEAN_SHAPE])
    low, size = ends.min(axis=0), np.ptp(ends, axis=0)
    scale = _SKETCH_PX / size[0]

    def line(points: FloatArray, name: str) -> str:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in ((points - low) * scale).tolist())
        return f'<polyline class="{name}" points="{places}"/>'

    parts = [line(one, "face") for one in contours(MEAN_SHAPE)]
    parts += [line(corners[:, row].T, "grid") for row in range(grid.rows + 1)]
    parts += [line(corners[:, :, col].T, "grid") for col in range(grid.cols + 1)]
    middles = (corners[:, :-1, :-1] + corners[:, 1:, 1:]) / 2
    letters = min(13.0, 0.45 * scale * float(np.ptp(corners[0])) / grid.cols)
    for block, name in block_names(grid):
        x, y = ((middles[:, block // grid.cols, block % grid.cols] - low) * scale).tolist()
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{max(letters, 7):.1f}">{name}</text>')
    width, height = (size * scale).tolist()
    text = (
        f"Grid of {grid.rows} x {grid.cols} blocks on the outline of a face; block 0 is at the forehead, on the left of the image."
    )
    box = f"-2 -2 {width + 4:.0f} {height + 4:.0f}"
    return f'<svg class="sketch" role="img" aria-label="{text}" viewBox="{box}">{"".join(parts)}</svg>'


def face_crop(result: RecordingResult, recording: Recording, config: BlocksConfig) -> Image | str:
    """Read the first frame with a face and draw the grid on it. A face is biometric data.

    Parameters
    ----------
    result : RecordingResult
        As built: its landmarks say where the face is.
    recording : Recording
        As listed, with the path of its video.
    config : BlocksConfig

    Returns
    -------
    Image or str
        The part of the frame around the face; or why there is none, in a sentence.
    """
    found = np.flatnonzero(result.track.found)
    if not found.size:
        return "No face was known in any frame."
    index = int(found[0])
    turns = int(result.attributes.get("turned_deg", 0)) // 90
    try:
        with open_stream(recording, turns) as stream:
            frame = next((one for one in stream if one.index == index), None)
            rgb = None if frame is None else _rgb(frame.image.planes, frame.image.to_rgb)
    except StmapError as error:
        return f"The frame cannot be shown: {error}"
    if rgb is None:
        return f"The frame cannot be shown: the video ends before frame {index}."
    corners = grid_corners_px(result.track, index, result.blocks.grid, config)
    points = np.concatenate([corners.reshape(2, -1).T, result.track.points_px[index].astype(np.float64)])
    margin = _CROP_MARGIN * np.ptp(points, axis=0).max()
    size = np.array([rgb.shape[1], rgb.shape[0]])
    low = np.clip(points.min(axis=0) - margin, 0, size - 1).astype(int)
    high = np.clip(points.max(axis=0) + margin, low + 1, size).astype(int)
    crop = rgb[low[1] : high[1], low[0] : high[0]]
    scale = min(1.0, _CROP_PX / max(crop.shape[:2]))
    width, height = (max(1, round(scale * one)) for one in (crop.shape[1], crop.shape[0]))
    crop = np.ascontiguousarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)[:, :, ::-1])
    places = np.round((corners - low[:, None, None]) * scale).astype(np.int32)
    lines = [*places.transpose(1, 2, 0), *places.transpose(2, 1, 0)]
    cv2.polylines(crop, [np.ascontiguousarray(one) for one in lines], False, _GRID_COLOR, 1, cv2.LINE_AA)
    _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    source = "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
    return Image(source, f"Face in frame {index} with the grid of blocks", f"Frame {index}, at {result.track.times_s[index]:.2f} s")


def _rgb(planes: Sequence[npt.NDArray[np.generic]], to_rgb: FloatArray) -> npt.NDArray[np.uint8]:
    """Convert the planes of a frame to (H, W, 3) R, G, B."""
    height, width = planes[0].shape
    full = [cv2.resize(one.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) for one in planes]
    rgb = np.stack(full, axis=2) @ to_rgb[:, :-1].T + to_rgb[:, -1]
    return np.asarray(np.clip(np.round(rgb), 0, 255), dtype=np.uint8)
