"""The mean shape of a face, drawn only where a reader asked for faces: a shape is biometric data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import LandmarkTrack
from stmap_pipeline.report.figures import Figure
from stmap_pipeline.report.svg import element, letters

# contours of the 68-point order: first, last, and whether it closes
_CONTOURS = ((0, 16, 0), (17, 21, 0), (22, 26, 0), (27, 30, 0), (31, 35, 0), (36, 41, 1), (42, 47, 1), (48, 59, 1), (60, 67, 1))


def mean_shape(track: LandmarkTrack) -> npt.NDArray[np.float64] | None:
    """Average the landmarks after shift, turn and size were taken away; the eyes lie level, one unit apart.

    Returns
    -------
    (68, 2) array, or None
        None where no frame has a face.

    Examples
    --------
    >>> track = LandmarkTrack(np.arange(2.0), np.full((2, 68, 2), np.nan, np.float32), np.full(2, np.nan, np.float32))
    >>> mean_shape(track) is None
    True
    """
    points = track.points_px[track.found].astype(np.float64)
    # y points down: a plane of complex numbers turns all the same
    flat = points[:, :, 0] + 1j * points[:, :, 1]
    left, right = flat[:, 36:42].mean(axis=1), flat[:, 42:48].mean(axis=1)
    apart = right - left
    usable = np.abs(apart) > 0
    if not usable.any():
        return None
    shape = ((flat - ((left + right) / 2)[:, None])[usable] / apart[usable, None]).mean(axis=0)
    return np.stack([shape.real, shape.imag], axis=1)


def draw_face(name: str, track: LandmarkTrack) -> Figure:
    """Draw the mean shape.

    Examples
    --------
    >>> track = LandmarkTrack(np.arange(1.0), np.full((1, 68, 2), np.nan, np.float32), np.full(1, np.nan, np.float32))
    >>> "No face" in draw_face("f", track).markup
    True
    """
    title = "Mean shape of the landmarks"
    caption = (
        "Good: a face at rest, seen from the front. Bad: a squeezed or crossed outline; the landmarks then lie on something else."
    )
    shape = mean_shape(track)
    if shape is None:
        return Figure(name, title, caption, element("p", "No face was known.", class_="stack"))
    low, high = shape.min(axis=0) - 0.15, shape.max(axis=0) + 0.15
    size = np.maximum(high - low, 1e-6)
    paths = []
    for first, last, closed in _CONTOURS:
        points = " ".join(f"{x:.3f},{y:.3f}" for x, y in shape[first : last + 1])
        paths.append(element("polygon" if closed else "polyline", class_="line s1", points=points))
    about = element("title", letters(title), id=f"{name}-t")
    box = " ".join(f"{one:.3f}" for one in (*low, *size))
    return Figure(
        name,
        title,
        caption,
        element("svg", about + "".join(paths), class_="face", role="img", aria_labelledby=f"{name}-t", viewBox=box),
    )
