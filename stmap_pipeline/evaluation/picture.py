"""What whole pictures tell beside the blocks of a face, measured while a video is decoded: the background, and frames that repeat."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.background import Background
from stmap_pipeline.records import LandmarkTrack
from stmap_pipeline.video import Frame

BoolArray = npt.NDArray[np.bool_]

_ROWS, _COLS = 6, 8
# pictures are thinned out to so many columns, or up to twice as many: that costs less than decoding, and the noise of a mean is still low
_COLUMNS_PX = 160
# luma that is nearer to black or white, which most videos write as 16 and 235, does not follow the light
_FOLLOWS = (20.0, 231.0)
# of a face, beside and above the landmarks, and below them, where neck and chest are: in widths of the landmarks' box
_BESIDE, _BELOW = 0.4, 0.8
# A frame repeats the one before where its pixels change by no more gray levels on average, which is what an encoder adds to a frozen picture, and by no larger share
# of the change from one new frame to the next. The latter is this percentile of all changes, so that up to four of five frames may repeat.
_REPEATS_LEVELS, _REPEATS_SHARE, _NEW_PERCENT = 0.05, 0.1, 80


class PictureMeter:
    """Mean luma of the parts of each frame, and how much their pixels differ from the frame before.

    Examples
    --------
    >>> meter = PictureMeter()
    >>> nobody = LandmarkTrack(np.zeros(0), np.zeros((0, 68, 2), np.float32), np.zeros(0, np.float32))
    >>> meter.background(nobody).luma.shape, meter.repeated(nobody).shape
    ((0, 0), (0,))
    """

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._luma: list[npt.NDArray[np.float32]] = []
        self._change: list[npt.NDArray[np.float32]] = []
        self._before: npt.NDArray[np.uint8] | None = None
        self._size_px = (0, 0)

    def add(self, frame: Frame) -> None:
        """Measure one whole frame; the first one of a stream begins anew, as where a video is read again in another direction."""
        if frame.index == 0:
            self._times_s, self._luma, self._change, self._before = [], [], [], None
        gray = frame.image.gray
        step = max(1, gray.shape[1] // _COLUMNS_PX)
        # a copy: the picture itself is a view into the decoder's buffer
        small = gray[::step, ::step].copy()
        self._times_s.append(frame.time_s)
        self._luma.append(_means(small))
        self._change.append(_means(small if self._before is None else cv2.absdiff(small, self._before)))
        self._before, self._size_px = small, frame.image.size_px

    def background(self, track: LandmarkTrack) -> Background:
        """Return the luma of the parts that hold no face in any frame, as far as they are neither black nor white."""
        luma = np.array(self._luma, dtype=np.float32).reshape(-1, _ROWS * _COLS)
        if not len(luma) or not track.found.any():
            return Background(np.zeros(0), luma[:0, :0])
        usual = np.median(luma, axis=0)
        outside = ~self._parts_of_face(track, _BESIDE, _BELOW) & (usual >= _FOLLOWS[0]) & (usual <= _FOLLOWS[1])
        return Background(np.array(self._times_s), luma[:, outside])

    def repeated(self, track: LandmarkTrack) -> BoolArray:
        """Return which frames of a track show the face as the frame before does, to the pixel but for what an encoder adds, (T,).

        Such a frame is no measurement of its time. False throughout where more than four of five frames repeat, as those of a photograph do.
        """
        # a first frame repeats nothing
        seen = np.isin(self._times_s[1:], track.times_s[track.found])
        if not seen.any():
            return np.zeros(len(track.times_s), dtype=np.bool_)
        change = np.array(self._change[1:])[:, self._parts_of_face(track, 0.0, 0.0)].mean(axis=1)
        new = float(np.percentile(change[seen], _NEW_PERCENT))
        repeats = seen & (change <= min(_REPEATS_LEVELS, _REPEATS_SHARE * new)) & (new > 0)
        return np.isin(track.times_s, np.array(self._times_s[1:])[repeats])

    def _parts_of_face(self, track: LandmarkTrack, beside: float, below: float) -> BoolArray:
        """Return which parts the box of the landmarks touches in some frame, widened by shares of its width."""
        points = track.points_px[track.found]
        (left, top), (right, bottom) = points.min(axis=(0, 1)), points.max(axis=(0, 1))
        side = beside * (right - left)
        (width, height), down_px = self._size_px, below * (right - left)
        x, y = (np.arange(count) * size / count for count, size in ((_COLS, width), (_ROWS, height)))
        across = (x + width / _COLS > left - side) & (x < right + side)
        down = (y + height / _ROWS > top - side) & (y < bottom + down_px)
        return np.asarray((down[:, None] & across).ravel())


def _means(small: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    # as numbers with fractions: the mean of many 8-bit samples is finer than one of them
    found = cv2.resize(small.astype(np.float32), (_COLS, _ROWS), interpolation=cv2.INTER_AREA)
    return np.asarray(found, dtype=np.float32).ravel()
