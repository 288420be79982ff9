"""When a video was recorded, by the metadata of its container."""

from __future__ import annotations

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.records import VideoSource
from stmap_pipeline.video.stream import open_container

# what cameras write; the first has the time zone of the place, the second is UTC
_KEYS = ("com.apple.quicktime.creationdate", "creation_time", "date")


def video_start(source: VideoSource) -> str:
    """Return date and time of a recording as its container has them; empty where it has none, or is no video file.

    No frame is decoded. Whether a camera writes there when it started or when it stopped, and whether its clock was right, nobody knows.

    Parameters
    ----------
    source : VideoSource

    Returns
    -------
    str
        ISO 8601.
    """
    if source.kind != "file":
        return ""
    try:
        with open_container(source.path) as (container, _):
            known = {name.casefold(): text for name, text in container.metadata.items()}
    except RecordingError:
        return ""
    return next((known[key] for key in _KEYS if "T" in known.get(key, "")), "")
