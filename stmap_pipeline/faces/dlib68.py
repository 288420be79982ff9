"""dlib's HOG face detector and its 68-point regression trees (Kazemi and Sullivan, CVPR 2014)."""

from __future__ import annotations

from pathlib import Path

import dlib
import numpy as np

from stmap_pipeline.faces.base import Detection, Gray, Points
from stmap_pipeline.faces.weights import find_weights


class Dlib68:
    """Face backend ``dlib68``. Loading takes about half a second and 95 MB.

    The model was trained on iBUG 300-W, whose license excludes commercial use: research use only.

    Parameters
    ----------
    weights : Path, optional
        The 68-point model; found by :func:`~stmap_pipeline.faces.weights.find_weights` otherwise.

    Raises
    ------
    ModelMissingError
        Where the weights are not installed.
    """

    # the HOG window is 80 px wide and its lowest pyramid level is the picture itself
    smallest_face_px = 80
    # found by trial on dim video: at -0.3 a known face is confirmed, an empty wall is not
    _lenient_threshold = -0.3

    def __init__(self, weights: Path | None = None) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(find_weights(weights)))

    def detect(self, gray: Gray, *, lenient: bool = False) -> list[Detection]:
        """Find all faces, best score first; see :class:`~stmap_pipeline.faces.base.FaceBackend`."""
        boxes, scores, _ = self._detector.run(np.ascontiguousarray(gray), 0, self._lenient_threshold if lenient else 0.0)
        found = [
            Detection(box.left(), box.top(), box.right() + 1, box.bottom() + 1, score)
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(found, key=lambda one: (-one.score, one.left, one.top))

    def landmarks(self, gray: Gray, box: Detection) -> Points:
        """Give the 68 points of the face in a box; whole pixels, as the model gives them."""
        rectangle = dlib.rectangle(round(box.left), round(box.top), round(box.right) - 1, round(box.bottom) - 1)
        shape = self._predictor(gray, rectangle)
        return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)
