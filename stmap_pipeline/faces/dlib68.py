"""Detect faces with dlib's HOG detector and 68 landmarks with its regression trees (Kazemi and Sullivan, CVPR 2014)."""

from __future__ import annotations

from pathlib import Path

import dlib
import numpy as np

from stmap_pipeline.faces.backend import Detection, Gray, Points
from stmap_pipeline.faces.model_file import ModelFile

WEIGHTS = ModelFile(
    name="shape_predictor_68_face_landmarks.dat",
    sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
    variable="STMAP_LANDMARKS",
    # two distributions carry the file; both import under this name
    package="face_recognition_models",
    folder="models",
    install="`pip install face-recognition-models` or `apt-get install libdlib-data`",
    others=(Path("/usr/share/dlib"),),
)


class HogDetector:
    """The detector of a face backend: dlib's, by histograms of oriented gradients, without weights of its own to install."""

    # the HOG window is 80 px wide, and the image itself is the lowest pyramid level
    smallest_face_px = 80
    # found by trial on dim video: at -0.3 a known face is confirmed, an empty wall is not
    _lenient_threshold = -0.3

    def __init__(self) -> None:
        self._detector = dlib.get_frontal_face_detector()

    def detect(self, gray: Gray, *, lenient: bool = False) -> list[Detection]:
        """Find all faces, best score first; see :class:`~stmap_pipeline.faces.backend.FaceBackend`."""
        boxes, scores, _ = self._detector.run(np.ascontiguousarray(gray), 0, self._lenient_threshold if lenient else 0.0)
        found = [
            Detection(box.left(), box.top(), box.right() + 1, box.bottom() + 1, score)
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(found, key=lambda one: (-one.score, one.left, one.top))


class Dlib68(HogDetector):
    """Face backend ``dlib68``. Loading takes about half a second and 95 MB.

    The model was trained on iBUG 300-W, whose license excludes commercial use: research use only.

    Parameters
    ----------
    weights : Path, optional
        File of the landmark model; found by :func:`find_weights` otherwise.

    Raises
    ------
    ModelMissingError
        Where the weights are not installed.
    """

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self._predictor = dlib.shape_predictor(str(find_weights(weights)))

    def landmarks(self, gray: Gray, box: Detection) -> Points:
        """Return the 68 landmarks of the face in a box; the model rounds them to whole pixels."""
        rectangle = dlib.rectangle(round(box.left), round(box.top), round(box.right) - 1, round(box.bottom) - 1)
        shape = self._predictor(gray, rectangle)
        return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)


def find_weights(explicit: Path | None = None) -> Path:
    """Find the file of the 68-point model and verify its hash.

    The file is looked for at ``explicit``, then at the path in the variable ``STMAP_LANDMARKS``, then in the Python package
    ``face-recognition-models`` (or ``-ng``), then in ``/usr/share/dlib``.

    Raises
    ------
    ModelMissingError
        Where it is in none of these places, or the file found has another sha256.
    """
    return WEIGHTS.find(explicit)
