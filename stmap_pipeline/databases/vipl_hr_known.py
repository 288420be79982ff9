"""What is known to be wrong with single recordings of VIPL-HR: a reason to skip, or a note.

Collected from the database's own notes and from published code that reads it. Other defects may exist.
"""

from __future__ import annotations

# id -> (reason code, what is known)
SKIPPED: dict[str, tuple[str, str]] = {
    "p019_v2_source2": ("known_missing_frames", "the video lacks frames and its clock is nominal; also reported as too short"),
    "p022_v3_source1": ("known_too_short", "reported as too short for one window of 300 frames"),
    "p032_v7_source3": ("known_too_short", "reported as too short for one window of 300 frames"),
    "p040_v7_source2": ("known_too_short", "reported as too short for one window of 300 frames"),
}

_ONE_REPOSITORY = "left out by one published repository, which gives no reason; it is built here"

NOTES: dict[str, str] = {
    "p027_v9_source2": _ONE_REPOSITORY,
    "p028_v5_source3": _ONE_REPOSITORY,
    "p032_v7_source3": "known to lack wave.csv",
    "p045_v1_source2": "known to lack wave.csv",
    "p048_v7_source1": _ONE_REPOSITORY,
    "p071_v6_source3": _ONE_REPOSITORY,
    "p096_v3_source3": _ONE_REPOSITORY,
    "p105_v1_source2": "video and label are reported to differ in length by 24 s",
}
