"""Luma of BT.601: what red, green and blue weigh in the brightness of a picture."""

from __future__ import annotations

#: Weights of red, green and blue in luma (Recommendation ITU-R BT.601-7, section 2.5.1). They add up to 1.
LUMA = KR, KG, KB = 0.299, 0.587, 0.114
