"""The method as a paper's reader would first write it: every step on every frame, each by the obvious call of a library."""

from __future__ import annotations

from pathlib import Path

import cv2
import dlib
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.dlib68 import find_weights

_SIDE = 130  # of the aligned face, in pixels; 5 x 5 blocks


class PerFrameReference:
    """OpenCV to BGR, dlib's detector and landmark model on each full frame, a warp of the face box, 5 x 5 means."""

    def __init__(self) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(find_weights()))

    def detect(self, gray: npt.NDArray[np.uint8]) -> dlib.rectangles:
        """Run the detector alone: the yardstick of a machine."""
        return self._detector(gray, 0)

    def build(self, path: Path, frames: int) -> npt.NDArray[np.float64]:
        """Return (T, 25, 3) means of the first frames of a video."""
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        rows = []
        for _ in range(frames):
            good, image = capture.read()
            if not good:
                break
            gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            found = self.detect(gray)
            if not found:
                rows.append(np.full((25, 3), np.nan))
                continue
            points = np.array([(p.x, p.y) for p in self._predictor(gray, found[0]).parts()], dtype=float)
            rows.append(self._means(image, points))
        capture.release()
        return np.array(rows)

    def _means(self, image: npt.NDArray[np.uint8], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        across = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
        across /= np.hypot(*across)
        down = np.array([-across[1], across[0]])
        width = (points[16] - points[0]) @ across
        height = 1.2 * ((points[8] - points[17:27].mean(axis=0)) @ down)
        corner = points[0] @ across * across + (points[8] @ down - height) * down
        matrix = np.column_stack([across * width / _SIDE, down * height / _SIDE, corner])
        face = cv2.warpAffine(image, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.asarray(
            cv2.resize(face.astype(np.float32), (5, 5), interpolation=cv2.INTER_AREA).reshape(25, 3), dtype=np.float64
        )
