"""The report of a build: one HTML file, with a linked file for each recording where there are many; or its tables alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from stmap_pipeline.errors import OutputError
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.parallel import unordered
from stmap_pipeline.report import summary
from stmap_pipeline.report.detail import Detail, make_detail
from stmap_pipeline.report.maps_page import MapsContent, render_maps
from stmap_pipeline.report.page import Page, environment, render
from stmap_pipeline.report.provenance import about_maps, database_of, manifest_sha256
from stmap_pipeline.report.quality import Quality, measure_quality
from stmap_pipeline.report.tables import write_tables
from stmap_pipeline.shards import Shards, read_augmentation

#: Up to so many recordings have their section on the page itself; more have a file each, beside it.
INLINE = 60
#: A process takes two seconds to start, and one recording a twentieth of that.
WORTH_A_PROCESS = 8

Kind = Literal["html", "json", "csv", "latex"]
_GENERATED = b'<meta name="generator" content="stmap'


@dataclass(frozen=True, slots=True)
class ReportProgress:
    """How far a report is: recordings done and in all; ``path`` is what was written, in the last one alone."""

    done: int
    total: int
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Examined:
    quality: Quality
    thumb: str
    detail: Detail | None


def write_maps_report(
    maps: str | Path,
    output: str | Path,
    kind: Kind = "html",
    *,
    jobs: int = 1,
    show_faces: bool = False,
    simulated: bool = False,
    command: str = "",
    inline: int = INLINE,
) -> Iterator[ReportProgress]:
    """Write the report of a finished build, and yield how far it is.

    The page holds all there is to see, up to ``inline`` recordings. Beyond that each recording has a file in the folder
    ``<name>_files`` beside it, and the page links to them. Nothing is written before all recordings are examined, except those
    files; the page comes last.

    Parameters
    ----------
    maps : str or Path
        Output of ``stmap build-maps``.
    output : str or Path
        The page; a file for ``json`` and ``latex``, a folder for ``csv``. One that is there is replaced.
    kind : {"html", "json", "csv", "latex"}
        The page, or its tables alone.
    jobs : int
        Processes.
    show_faces : bool
        Whether the mean shape of the landmarks is drawn.
    simulated : bool
        Say that nobody was filmed. Maps that tell so themselves need no word; a drawn tree that was built with the adapter of
        the database it imitates does not.
    command : str
        The command to be named in the provenance.
    inline : int

    Yields
    ------
    ReportProgress

    Raises
    ------
    ShardError
        Where the build is unfinished or damaged.
    OutputError
        Where the output lies inside the build, or cannot be written.
    StmapError
        Where Jinja2 is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.shards.example import example_maps
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     *_, last = write_maps_report(example_maps(), Path(folder) / "report.html")
    ...     last.done, last.path.name, "p001_v2" in last.path.read_text()
    (3, 'report.html', True)
    """
    root, target = Path(maps), Path(output)
    with Shards(root) as shards:
        check_target(root, target)
        if kind == "html":
            # said before the work, not after it
            environment()
        ids = [one.recording_id for one in shards.recordings()]
        names = file_names(ids)
        unreal = simulated or shards.simulated
        plan = read_augmentation(root)
        linked = kind == "html" and len(ids) > inline
        folder = target.absolute().with_name(f"{target.stem}_files")
        jobs = min(jobs, len(ids) // WORTH_A_PROCESS)
        spread = jobs > 1
        task = partial(
            _examine,
            _Where(root.absolute(), manifest_sha256(root)) if spread else shards,
            kind,
            show_faces,
            _Linked(folder, target.name, unreal) if linked else None,
        )
        examined: dict[str, _Examined] = {}
        yield ReportProgress(0, len(ids))
        for one in unordered(task, names.items(), jobs) if spread else map(task, names.items()):
            examined[one.quality.recording_id] = one
            yield ReportProgress(len(examined), len(ids))
        parts = [examined[name] for name in ids]
        if kind == "html":
            content = MapsContent(
                outcomes=shards.outcomes(),
                qualities=[one.quality for one in parts],
                thumbs={one.quality.recording_id: one.thumb for one in parts if one.thumb},
                details={one.detail.recording_id: one.detail for one in parts if one.detail},
                links={name: f"{quote(folder.name)}/{safe}.html" if linked else f"#r-{safe}" for name, safe in names.items()},
                rates=summary.count_heart_rates(shards),
                source=database_of(shards),
                about=about_maps(shards, simulated=unreal, command=command, plan=plan),
                simulated=unreal,
                plan=plan,
                folder=folder.name if linked else "",
            )
            atomic_write_text(target, render_maps(content))
            _remove_stale(folder, {f"{name}.html" for name in names.values()} if linked else set())
        else:
            qualities = [one.quality for one in parts]
            tables = [
                summary.outcome_table(shards.outcomes()),
                summary.rate_table(summary.count_heart_rates(shards)),
                summary.metric_table(qualities),
                summary.recording_table(qualities),
            ]
            about = {"maps": str(root), "manifest_sha256": manifest_sha256(root), "simulated": unreal}
            write_tables(tables, target, kind, about=about)
        yield ReportProgress(len(ids), len(ids), target)


def check_target(root: Path, target: Path) -> None:
    """Refuse to write into a build, whose manifest knows each of its files.

    Raises
    ------
    OutputError
        Saying so.

    Examples
    --------
    >>> check_target(Path("maps"), Path("maps/report.html"))
    Traceback (most recent call last):
    stmap_pipeline.errors.OutputError: maps/report.html: lies inside maps, which holds the build and nothing else; write it beside
    """
    if target.resolve().is_relative_to(root.resolve()):
        raise OutputError(f"{target}: lies inside {root}, which holds the build and nothing else; write it beside")


def file_names(ids: Sequence[str]) -> dict[str, str]:
    """Give each recording a name that is safe in a path and an address, and unlike all others where case does not count.

    Examples
    --------
    >>> file_names(["p001_v1", "a/b"])["p001_v1"], "/" in file_names(["a/b"])["a/b"]
    ('p001_v1', False)
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for one in ids:
        safe = re.sub(r"[^A-Za-z0-9_-]", "_", one)[:100]
        if safe != one or safe.lower() in taken:
            safe = f"{safe[:80]}-{hashlib.sha256(one.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
        taken.add(safe.lower())
        names[one] = safe
    return names


@dataclass(frozen=True, slots=True)
class _Linked:
    folder: Path
    page: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class _Where:
    root: Path
    manifest: str


@lru_cache(maxsize=1)
def _open(where: _Where) -> Shards:
    # once in a worker, not once a recording
    return Shards(where.root)


def _examine(where: _Where | Shards, kind: Kind, show_faces: bool, linked: _Linked | None, one: tuple[str, str]) -> _Examined:
    recording_id, name = one
    shards = where if isinstance(where, Shards) else _open(where)
    result = shards.recording(recording_id)
    if kind != "html":
        return _Examined(measure_quality(result), "", None)
    quality, thumb, detail = make_detail(result, f"r-{name}", show_faces=show_faces)
    if linked is None:
        return _Examined(quality, thumb, detail)
    page = Page(
        recording_id, detail.verdict, simulated=linked.simulated, back=(f"../{quote(linked.page)}#recordings-all", "all recordings")
    )
    atomic_write_text(linked.folder / f"{name}.html", render("recording.html", page, detail=detail))
    return _Examined(quality, thumb, None)


def _remove_stale(folder: Path, wanted: set[str]) -> None:
    """Take away the files of an earlier report; what somebody else put there stays."""
    for path in sorted(folder.glob("*.html")) if folder.is_dir() else ():
        with suppress(OSError):
            if path.name not in wanted and path.is_file() and not path.is_symlink() and _GENERATED in path.read_bytes()[:400]:
                path.unlink()
    with suppress(OSError):
        folder.rmdir()
