"""What the blocks would be if the face were known exactly: means over the true regions, and how much pulse is in a trace."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfiltfilt

from stmap_pipeline.blocks.grid import Box, GridEdges, face_box, find_reference
from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.faces import TrackedFrame
from stmap_pipeline.faces.backend import STEADY
from stmap_pipeline.faces.pose import Affine, transform
from stmap_pipeline.records import LandmarkTrack, RoiGrid
from stmap_pipeline.synth.face import face_depth
from stmap_pipeline.synth.scene import Scene
from stmap_pipeline.video import Image

Array = npt.NDArray[np.float64]
# Samples along a line through the face; a multiple of the rows and columns of the grid.
_SAMPLES = 1500


def nodes_of(grid: RoiGrid) -> Array:
    """Return the corners of all blocks in grid coordinates: (K, 2)."""
    column, row = np.meshgrid(np.arange(grid.cols + 1.0), np.arange(grid.rows + 1.0))
    return np.stack([column.ravel(), row.ravel()], axis=1)


def measured_nodes(track: LandmarkTrack, grid: RoiGrid, config: BlocksConfig) -> dict[int, Array]:
    """Return where the pipeline placed the corners of blocks in each frame with a face, from the landmarks that it stored."""
    shapes = (
        TrackedFrame(int(index), float(track.times_s[index]), track.points_px[index].astype(float), 0.0, None, (0, 0))
        for index in np.flatnonzero(track.found)
    )
    reference, _, frames = find_reference(shapes)
    if reference is None:
        return {}
    nodes = nodes_of(grid)
    own = transform(face_box(reference.points_px, grid, config.height_factor), nodes)
    depth = reference.depth.at(own)
    return {
        frame.index: transform(face_box(frame.points_px, grid, config.height_factor), nodes)
        if config.align == "eyes"
        else reference.poses([frame.points_px])[0].project(own, depth)
        for frame in frames
        if frame.points_px is not None
    }


class TrueRegion:
    """The mean region of a measurement in the face's own frame, carried by the true motion.

    Parameters
    ----------
    scene : Scene
    measured : mapping of int to (K, 2) array
        Where the pipeline laid the corners of blocks in each frame.
    times_s : mapping of int to float
        When the frames were drawn.
    grid : RoiGrid
    """

    def __init__(self, scene: Scene, measured: dict[int, Array], times_s: Array, grid: RoiGrid) -> None:
        self._scene, self._grid = scene, grid
        nodes = nodes_of(grid)
        seen = []
        for index, places in measured.items():
            points = transform(cv2.invertAffineTransform(scene.similarity(times_s[index])), places)
            turn = scene.motion.rotation(times_s[index])
            seen.append(points if turn is None else np.stack(turn.unproject(*points.T), axis=1))
        self.box = fit_affine(nodes, np.mean(seen, axis=0))
        self.edges = GridEdges(grid, lambda cells: face_depth(*transform(self.box, cells).T))
        self._nodes = np.column_stack([transform(self.box, nodes), face_depth(*transform(self.box, nodes).T)])
        self._terms = np.column_stack([nodes, np.ones(len(nodes)), self._nodes[:, 2]])
        # points along all lines across, then all lines down: halfway between them lie the samples of an integral
        along = np.linspace(0, 1, _SAMPLES + 1)
        across = np.stack(np.meshgrid(along * grid.cols, np.arange(grid.rows + 1.0)), axis=-1)
        down = np.stack(np.meshgrid(along * grid.rows, np.arange(grid.cols + 1.0)), axis=-1)[..., ::-1]
        self._lines = [transform(self.box, one.reshape(-1, 2)) for one in (across, down)]

    def placed(self, time_s: float) -> Box:
        """Return the box on :attr:`edges` in the frame at a time: what the pipeline's would be, if it knew the head."""
        box: Box = np.linalg.lstsq(self._terms, self._scene.project(self._nodes[:, :2], time_s), rcond=None)[0].T
        return box

    def means(self, image: Image, time_s: float) -> Array:
        """Average each block over its true region: (N, 3) means of R, G and B.

        A image is its pixels' squares here. By Green's theorem the sum over a region is the integral of the sum from the left
        along its border, so no pixel inside is read; what is left of error is 0.0003 gray levels.
        """
        grid = self._grid
        across, down = (self._scene.project(one, time_s) for one in self._lines)
        across, down = across.reshape(grid.rows + 1, -1, 2), down.reshape(grid.cols + 1, -1, 2)
        planes = []
        for plane in image.planes:
            shrink = np.array([plane.shape[1] / image.gray.shape[1], plane.shape[0] / image.gray.shape[0]])
            lines = (across + 0.5) * shrink, (down + 0.5) * shrink
            # sums over what is around its mean are small, and so is what the steps along the border leave of error
            corner = np.clip(np.min([one.min(axis=(0, 1)) for one in lines], axis=0).astype(int), 0, None)
            part = plane[corner[1] :, corner[0] : int(max(one[..., 0].max() for one in lines)) + 1].astype(float)
            level = float(part[: int(lines[1][..., 1].max()) - corner[1] + 1].mean())
            values, areas = (
                _enclosed(_along(source, lines[0] - corner, grid.cols), _along(source, lines[1] - corner, grid.rows).T)
                for source in (part - level, None)
            )
            planes.append((values / areas).ravel() + level)
        return np.asarray(np.stack(planes, axis=1) @ image.to_rgb[:, :-1].T + image.to_rgb[:, -1])

    def skin_share(self) -> Array:
        """Return the share of each block that pulses."""
        skin = np.rint(self._scene.skin(0.0) * 255).astype(np.uint8)
        one = Image(skin, (skin,), np.array([[1.0, 0.0]] * 3))
        return np.asarray(self.means(one, 0.0)[:, 0] / 255)


def _along(plane: Array | None, lines: Array, pieces: int) -> Array:
    """Integrate the sum of a plane from its left edge along lines (L, S, 2), in pieces: (L, pieces); None for a plane of ones."""
    left = None if plane is None else np.cumsum(plane, axis=1)
    return np.stack([_along_line(plane, left, line, pieces) for line in lines])


def _along_line(plane: Array | None, left: Array | None, line: Array, pieces: int) -> Array:
    along = np.linspace(0, pieces, len(line))
    if np.ptp(line[:, 1]) > np.ptp(line[:, 0]):
        # the sum jumps from one row of pixels to the next, so no step may reach over their border
        rows = np.arange(np.ceil(line[0, 1]), line[-1, 1])
        at = np.sort(np.concatenate([along, np.interp(rows, line[:, 1], along)]))
        line, along = np.stack([np.interp(at, along, one) for one in line.T], axis=1), at
    middle = (line[1:] + line[:-1]) / 2
    if plane is None or left is None:
        sums = middle[:, 0]
    else:
        column = np.clip(middle[:, 0].astype(int), 0, plane.shape[1] - 1)
        row = np.clip(middle[:, 1].astype(int), 0, plane.shape[0] - 1)
        # what is still missing of the pixel that the line passes through
        sums = left[row, column] - (column + 1 - middle[:, 0]) * plane[row, column]
    return np.asarray(np.add.reduceat(sums * np.diff(line[:, 1]), np.searchsorted(along, np.arange(pieces))))


def _enclosed(across: Array, down: Array) -> Array:
    """Add up the borders of blocks: lines across (rows + 1, cols) and down (rows, cols + 1)."""
    return across[:-1] + down[:, 1:] - across[1:] - down[:, :-1]


def fit_affine(source: Array, target: Array) -> Affine:
    """Fit the affine map of least squares from (K, 2) to (K, 2) points."""
    return np.asarray(np.linalg.lstsq(np.column_stack([source, np.ones(len(source))]), target, rcond=None)[0].T, dtype=np.float64)


@dataclass(frozen=True)
class PulseFit:
    """How much of a known pulse is in traces: amplitude relative to the pulse, and ratio to all else in its band."""

    amplitude: Array
    snr_db: Array


def fit_pulse(traces: Array, pulse: Array, rate_hz: float) -> PulseFit:
    """Project traces (T, N) on a known pulse (T,), both limited to 0.7 to 4 Hz."""
    sos = butter(3, [0.7, 4.0], "bandpass", fs=rate_hz, output="sos")
    band, wave = sosfiltfilt(sos, traces - traces.mean(axis=0), axis=0), sosfiltfilt(sos, pulse - pulse.mean())
    amplitude = (wave @ band) / (wave @ wave)
    rest = band - np.outer(wave, amplitude)
    return PulseFit(amplitude, 20 * np.log10(np.abs(amplitude) * wave.std() / np.maximum(rest.std(axis=0), 1e-9) + 1e-12))


@dataclass(frozen=True)
class LandmarkErrors:
    """Of landmarks against the truth, each point's constant offset in the face's own frame removed.

    Parameters
    ----------
    nme_percent : float
        Mean distance in percent of the distance of the outer eye corners.
    jitter_px : float
        What all 68 points move by from frame to frame beyond the true motion of the head; root mean square.
    change_px : float
        How the error changes from frame to frame: jitter, and true motion of lids and lips that is not followed.
    steady_jitter_px : float
        Jitter of the points that speech and blinks do not move.
    """

    nme_percent: float
    jitter_px: float
    change_px: float
    steady_jitter_px: float


def landmark_errors(track: LandmarkTrack, scene: Scene, times_s: Array) -> LandmarkErrors:
    """Compare a track with the landmarks of a scene."""
    seen, errors, eyes = [], [], []
    for index in np.flatnonzero(track.found):
        back, truth = cv2.invertAffineTransform(scene.similarity(times_s[index])), scene.landmarks(times_s[index])
        seen.append(transform(back, track.points_px[index].astype(float)) * scene.px_per_unit)
        errors.append(seen[-1] - transform(back, truth) * scene.px_per_unit)
        eyes.append(np.hypot(*(truth[45] - truth[36])))
    rest = np.array(errors) - np.mean(errors, axis=0)
    nme_percent = float(np.linalg.norm(rest, axis=2).mean() / np.mean(eyes) * 100)
    # turning out of the plane moves points in the face's own frame, which is no jitter: there the error has to tell
    turned = scene.motion.yaw_deg.amplitudes or scene.motion.pitch_deg.amplitudes
    jitter_px, change_px = _jump(errors if turned else seen), _jump(errors)
    return LandmarkErrors(nme_percent, jitter_px, change_px, _jump(np.array(errors)[:, STEADY]))


def _jump(points: npt.ArrayLike) -> float:
    """Return the root mean square of the way (T, K, 2) points go from frame to frame."""
    return float(np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=2).mean()))
