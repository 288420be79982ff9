"""Lay the aligned box over the face, cut it into blocks, and take the exact mean of each block in the native planes.

:mod:`.box` places the box, :mod:`.reference` holds the face's own frame, :mod:`.mask` leaves out what is not skin, :mod:`.means`
does the averaging, and :func:`measure_blocks` runs them over a recording. What is made of the means begins in
:mod:`stmap_pipeline.maps`.
"""

from stmap_pipeline.blocks.measure import Measurement, measure_blocks

__all__ = ["Measurement", "measure_blocks"]
