"""Errors of users, and the reason codes of outcomes.

The message of an error says what is wrong, where, and what to do. Callers catch :class:`StmapError`; any other exception is
a defect of stmap. What is wrong with *one recording* is a :class:`RecordingError`, which its task turns into the outcome of
that recording while the run continues; see :mod:`stmap_pipeline.records.outcome`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

# Reason code -> what it means. `outcomes.csv` holds no other code, and the reference page is made from this table.
REASONS: dict[str, str] = {
    "": "the recording was built",
    # listed, but not usable by what is known of the database
    "nir": "near-infrared camera: no color channels, so no color map can be made",
    "absent": "the database's own list, or its physiological data, names a recording whose video is not there",
    "known_missing_frames": "known to lack frames while its clock is nominal, so times would be wrong",
    "known_too_short": "known to be too short for one window",
    "duplicate": "the same video file as another recording, through a link",
    "known_excluded": "excluded by the authors or by published users of the database",
    # before the first frame
    "not_storable": "a text or number of the listing that is too large to be stored",
    "source_missing": "a file that the recording needs is not there",
    "source_unreadable": "a file that the recording needs cannot be opened or is not a video",
    "no_video_stream": "the file holds no video stream",
    "unsupported_format": "the pixel format is not one that can be read without loss",
    "clock_unreadable": "the frame times cannot be read, do not increase, or leap so far that a time must be wrong",
    "clock_mismatch": "the number of frame times and of decoded frames differ by more than the allowed share",
    "label_unreadable": "a label file cannot be read, or its numbers cannot be what the listing says, such as RR intervals as heart rates",
    "label_overlap": "a label does not overlap with the video at all",
    # while decoding and tracking
    "decode_error": "the stream is damaged beyond what the decoder can skip",
    "no_frames": "not one frame could be decoded",
    "too_short": "shorter than limits.min_duration_s; for an estimate, without a window in which the face is seen long enough",
    "no_face": "no face in more frames than the limit allows",
    # while estimating
    "no_pulse": "no pulse that can be distinguished from noise, motion and light; only in an estimate",
    # while running
    "timed_out": "took longer than the time limit for one recording",
    "out_of_memory": "needed more memory than the limit for one recording",
    "worker_died": "the worker process died twice on it (segmentation fault or out of memory)",
    "internal_error": "an unexpected error: a defect of stmap, please report it",
}


# share of two names that must agree for one to be a misspelling of the other
_NEAR = 0.65


class StmapError(Exception):
    """Base of all errors that a user can correct."""


class ConfigError(StmapError):
    """The configuration holds a value that is not allowed."""


class UnknownNameError(StmapError):
    """A name that is not in a registry, such as an unknown database."""


class ProjectError(StmapError):
    """A project folder does not say, or does not hold, what a command needs."""


class DatabaseError(StmapError):
    """The source folder is not what the database's adapter expects."""


class ModelMissingError(StmapError):
    """The weights of a face model are not installed, or are not the file they should be."""


class ModelError(StmapError):
    """A trained network or its run folder is damaged, unfinished, foreign, or does not fit the maps."""


class ExtraMissingError(StmapError):
    """A package of an optional extra is not installed; the message says which extra."""


class OutputError(StmapError):
    """The output folder cannot be written, is locked, or was built with other settings."""


class OtherSettingsError(OutputError):
    """A folder holds the result of other settings than are asked for now.

    Parameters
    ----------
    place : Path
        The folder.
    what : str
        What it is: ``was trained with other settings``.
    differences : sequence of (str, str, str)
        Key, value then, value now.
    advice : str
        What to do.

    Examples
    --------
    >>> str(OtherSettingsError(Path("maps"), "was built with other settings", [("blocks.rows", "5", "7")], "give another folder"))
    'maps: was built with other settings (blocks.rows: 5 -> 7); give another folder'
    """

    def __init__(self, place: Path, what: str, differences: Iterable[tuple[str, str, str]], advice: str) -> None:
        self.place, self.what, self.differences, self.advice = place, what, tuple(differences), advice
        super().__init__(place, what, self.differences, advice)

    def __str__(self) -> str:
        changed = "; ".join(f"{key}: {then} -> {now}" for key, then, now in self.differences)
        return f"{printable(self.place)}: {self.what}{f' ({changed})' if changed else ''}; {self.advice}"


class WorkerError(StmapError):
    """The workers cannot do the work: they do not start, the cluster is lost, or they do not see the output folder."""


class ShardError(StmapError):
    """A shard, table or manifest is damaged, incomplete or of an unknown schema."""


class RecordingError(StmapError):
    """One recording cannot be built; the run continues.

    Parameters
    ----------
    stage : str
        Where it happened: ``list``, ``decode``, ``faces``, ``labels``, ``write`` or ``run``.
    reason : str
        A code of :data:`REASONS`.
    message : str
        What is wrong, in which file, and what can be done.

    Examples
    --------
    >>> RecordingError("decode", "no_frames", "clip.avi: not one frame could be decoded").reason
    'no_frames'
    """

    def __init__(self, stage: str, reason: str, message: str) -> None:
        if reason not in REASONS or not reason:
            raise ValueError(f"unknown reason code {reason!r}; the codes are {sorted(REASONS)}")
        # all three reach Exception, so that the error survives the way back from a worker process
        super().__init__(stage, reason, message)
        self.stage = stage
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return self.message


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return the end of a message about an unknown name: the known name that is nearest to it; empty where none is near.

    Case, and hyphens or underscores, do not matter.

    Parameters
    ----------
    name : str
        As it was typed.
    known : iterable of str
    prefix : str
        Written before the known name.

    Examples
    --------
    >>> did_you_mean("VIPL", ["pure", "vipl-hr"]), did_you_mean("xyz", ["pure"])
    ("; did you mean 'vipl-hr'?", '')
    """
    plain, wanted = {plain_name(one): one for one in known}, plain_name(name)
    same_letters = [one for one in plain if sorted(one) == sorted(wanted)]
    near = same_letters or difflib.get_close_matches(wanted, plain, n=1, cutoff=_NEAR)
    return f"; did you mean '{prefix}{plain[near[0]]}'?" if near else ""


def plain_name(name: str) -> str:
    """Return a name for comparison: without case, and with hyphens for underscores.

    Examples
    --------
    >>> plain_name("VIPL_HR")
    'vipl-hr'
    """
    return name.casefold().replace("_", "-")


def content_problem(error: Exception) -> str:
    """Return what is wrong with the content of a file, for an error that reading its values raised.

    Examples
    --------
    >>> content_problem(KeyError("files")), content_problem(TypeError("string indices must be integers"))
    ("'files' is missing", 'a value is of another kind')
    """
    if isinstance(error, KeyError):
        return f"'{error.args[0]}' is missing" if error.args else "a key is missing"
    return "a value is of another kind" if isinstance(error, TypeError) else str(error)


def printable(path: Path | str) -> str:
    r"""Return a path as text that can be printed and stored: bytes that are not UTF-8 become ``\xNN``.

    Examples
    --------
    >>> print(printable("caf\udce9.mp4"))
    caf\xe9.mp4
    """
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
