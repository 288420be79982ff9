"""Place the grid of blocks on the face and measure the exact mean color of each block in the native planes.

=============  ==========================================================================
:mod:`.means`  :func:`measure_blocks`: exact means over a whole recording, frame by frame
:mod:`.grid`   the face box, its pose in each frame, and the edges of the blocks
:mod:`.mask`   weights of the skin in the box
=============  ==========================================================================

:mod:`stmap_pipeline.shards` stores the means, and :mod:`stmap_pipeline.maps` makes maps of them.
"""

from stmap_pipeline.blocks.means import Measurement, measure_blocks

__all__ = ["Measurement", "measure_blocks"]
