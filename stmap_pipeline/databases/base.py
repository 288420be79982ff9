"""What a database is to the pipeline: some facts, and a function that lists its recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.records import Recording


@dataclass(frozen=True, slots=True)
class Database:
    """One database of face videos. A module under ``databases/`` makes one and the registry names it.

    Parameters
    ----------
    name : str
        As the user types it.
    title, license, access, citation : str
        For ``stmap databases NAME``; ``citation`` is BibTeX, empty where there is nothing to cite.
    layout : str
        The tree that is expected on disk, as text.
    list_recordings : callable
        ``list_recordings(root)`` yields each recording under ``root`` in the order of its id, those that must not be
        built with their ``skip_reason``. It opens no video. It raises :class:`~stmap_pipeline.errors.DatabaseError`
        where the root holds nothing of this layout, saying what it looked for and what it found instead.
    simulated : bool
        Whether nobody was filmed.
    """

    name: str
    title: str
    license: str
    access: str
    citation: str
    layout: str
    list_recordings: Callable[[Path], Iterator[Recording]]
    simulated: bool = False
