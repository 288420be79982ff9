"""Place the grid of blocks on the face and measure the exact mean color of each block in the native planes.

:mod:`.means`  :func:`measure_blocks`: exact means over a whole recording
:mod:`.grid`   the face box, its pose in each frame, and the edges of the blocks
:mod:`.mask`   which part of the box is skin

Maps are made of the means by :mod:`stmap_pipeline.maps`.
"""

from stmap_pipeline.blocks.means import Measurement, measure_blocks

__all__ = ["Measurement", "measure_blocks"]
