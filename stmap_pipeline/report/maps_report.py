"""The report of a build: one HTML page, with a linked file for each recording where there are many; or its tables alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from stmap_pipeline.balance import Bins as RateBins
from stmap_pipeline.balance import normalized_entropy
from stmap_pipeline.errors import REASONS, OutputError
from stmap_pipeline.files import atomic_write_text, sha256
from stmap_pipeline.parallel import one_thread, unordered
from stmap_pipeline.records import Outcome, Recording, file_name
from stmap_pipeline.records.traces import LABEL_PROBLEMS
from stmap_pipeline.report.charts import Bars, Chart, grouped_strips, histogram, strip_plot
from stmap_pipeline.report.page import LIBRARY_FILE, About, Page, Stat, check_extra, library, render
from stmap_pipeline.report.provenance import about_maps, database_of, study_name
from stmap_pipeline.report.quality import METRICS, Metric, Quality, measure_quality
from stmap_pipeline.report.recording_page import RecordingSection, examine_recording, with_usable_clock
from stmap_pipeline.report.tables import UNKNOWN, Field, Table, percent, write_tables
from stmap_pipeline.shards import Shards, read_augmentation
from stmap_pipeline.shards.manifest import MANIFEST, REPORTS
from stmap_pipeline.shards.notes import label_problems_by_recording, recordings_by_note

#: Up to so many recordings have their section on the page itself; more have a file each, beside it.
INLINE = 60
#: A process takes two seconds to start, and one recording a fortieth of that.
WORTH_A_PROCESS = 16
#: An estimate this close to the label counts as right.
NEAR_BPM = 3.0
BIN_BPM = 5.0
USUAL_BPM = (40.0, 160.0)

Kind = Literal["html", "json", "csv", "latex"]
# quality, small map, and the section where it stands on the page itself
_Examined = tuple[Quality, str, RecordingSection | None]
_GENERATED = b'<meta name="generator" content="stmap'


@dataclass(frozen=True, slots=True)
class ReportProgress:
    """How far a report is: recordings done and in all; ``path`` is what was written, in the last one alone."""

    done: int
    total: int
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """What each worker needs: the build, what is to be made, and where the file of a recording goes (none: to the page itself)."""

    root: Path
    manifest_sha256: str
    html: bool
    show_faces: bool
    simulated: bool
    title: str
    page: Path
    linked: bool

    @property
    def folder(self) -> Path:
        return self.page.absolute().with_name(f"{self.page.stem}_files")

    def examine(self, item: tuple[str, Recording | None]) -> _Examined:
        """Measure a recording; for a page draw it, too, and where it has a file of its own write that.

        Parameters
        ----------
        item : (str, Recording or None)
            Its id, and where its video is, if a frame of it is to be shown.
        """
        recording_id, listed = item
        shards = _open(self.root, self.manifest_sha256)
        result = shards.recording(recording_id)
        with one_thread():
            if not self.html:
                return measure_quality(with_usable_clock(result)), "", None
            problems = _label_problems(self.root, self.manifest_sha256).get(recording_id, Counter())
            name = f"r-{file_name(recording_id)}"
            quality, thumb, section = examine_recording(
                result, name, shards.config.blocks, problems=problems, show_faces=self.show_faces, listed=listed
            )
            if not self.linked:
                return quality, thumb, section
            names = [one.recording_id for one in shards.recordings()]
            before, after = neighbors(names, recording_id)
            page = Page(
                recording_id,
                section.summary,
                simulated=self.simulated,
                back=(f"../{quote(self.page.name)}#recordings-all", self.title),
                before=(quote(f"{file_name(before)}.html"), before) if before else None,
                after=(quote(f"{file_name(after)}.html"), after) if after else None,
            )
            text = render("recording.html", page, shared=True, section=section)
            atomic_write_text(self.folder / f"{file_name(recording_id)}.html", text)
            return quality, thumb, None


@lru_cache(maxsize=1)
def _open(root: Path, manifest_sha256: str) -> Shards:  # noqa: ARG001 - another build at the same place has another manifest
    # once in a process, not once a recording
    return Shards(root)


@lru_cache(maxsize=1)
def _label_problems(root: Path, manifest_sha256: str) -> dict[str, Counter[str]]:
    return label_problems_by_recording(_open(root, manifest_sha256).windows())


def write_maps_report(
    maps: str | Path,
    output: str | Path,
    kind: Kind = "html",
    *,
    jobs: int = 1,
    show_faces: bool = False,
    source: str | Path | None = None,
    simulated: bool = False,
    title: str = "",
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
        Whether the mean shape of the landmarks is drawn, and a frame with the grid on the face where ``source`` has the video.
    source : str or Path, optional
        The folder that the maps were built from. It is looked at for ``show_faces`` alone.
    simulated : bool
        Whether to mark the recordings as synthetic data. Maps of stmap synth are marked without it.
    title : str
        Name of the study, for the heading; without it the page is named after the database and the folder of the maps.
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
    DatabaseError
        Where a face is to be shown, and nothing of the database is under ``source``.
    OutputError
        Where the output lies inside the build, or cannot be written.
    ExtraMissingError
        Where Jinja2 or plotly is not installed.

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
            check_extra()
        ids = [one.recording_id for one in shards.recordings()]
        synthetic = simulated or shards.simulated
        linked = kind == "html" and len(ids) > inline
        heading = title or maps_title(shards)
        task = _Task(root.absolute(), sha256(root / MANIFEST), kind == "html", show_faces, synthetic, heading, target, linked)
        videos = _listed(shards.database, Path(source)) if show_faces and kind == "html" and source is not None else {}
        items = [(one, videos.get(one)) for one in ids]
        if linked:
            atomic_write_text(task.folder / LIBRARY_FILE, library())
        jobs = min(jobs, len(ids) // WORTH_A_PROCESS)
        examined: dict[str, _Examined] = {}
        yield ReportProgress(0, len(ids))
        for one in unordered(task.examine, items, jobs) if jobs > 1 else map(task.examine, items):
            examined[one[0].recording_id] = one
            yield ReportProgress(len(examined), len(ids))
        rates = count_heart_rates(shards)
        if kind == "html":
            plan = read_augmentation(root)
            files = {name: f"{file_name(name)}.html" for name in ids}
            text = render_maps(
                shards.outcomes(),
                [examined[name] for name in ids],
                rates,
                database_of(shards),
                about_maps(shards, simulated=synthetic, command=command, plan=plan),
                links={name: f"{quote(task.folder.name)}/{files[name]}" if linked else f"#r-{file_name(name)}" for name in ids},
                title=heading,
                notes=recordings_by_note(shards.recordings()),
                label_problems=_label_problems(task.root, task.manifest_sha256),
                simulated=synthetic,
                shortfalls=[one for one in (plan or {}).get("bins", []) if one.get("shortfall")],
                folder=task.folder.name if linked else "",
            )
            atomic_write_text(target, text)
            _remove_stale(task.folder, set(files.values()) if linked else set(), library_too=not linked)
        else:
            qualities = [examined[name][0] for name in ids]
            tables = [outcome_table(shards.outcomes()), rate_table(rates), metric_table(qualities), recording_table(qualities)]
            about = {"maps": str(root), "manifest_sha256": task.manifest_sha256, "simulated": synthetic}
            write_tables(tables, target, kind, about=about)
        yield ReportProgress(len(ids), len(ids), target)


def check_target(root: Path, target: Path) -> None:
    """Refuse to write into a build, whose manifest knows each of its files, under another name than those of reports.

    Raises
    ------
    OutputError
        Saying so.

    Examples
    --------
    >>> check_target(Path("maps"), Path("maps/report.html"))
    >>> check_target(Path("maps"), Path("maps/windows.csv"))
    Traceback (most recent call last):
    stmap_pipeline.errors.OutputError: maps/windows.csv: lies inside maps, which holds the build; call it maps/report.html, or write it elsewhere
    """
    inside = target.resolve().is_relative_to(root.resolve())
    if inside and (target.resolve().parent != root.resolve() or target.name not in REPORTS):
        raise OutputError(
            f"{target}: lies inside {root}, which holds the build; call it {root / 'report.html'}, or write it elsewhere"
        )


def _listed(database: str, source: Path) -> dict[str, Recording]:
    """List where the videos of a database are."""
    # decoding, face models and databases are needed for faces alone
    from stmap_pipeline import registry
    from stmap_pipeline.pipeline.plan import list_recordings

    return {one.recording_id: one for one in list_recordings(registry.load("databases", database), source)}


def recording_links(maps: Path, target: Path) -> dict[str, str]:
    """Return where another page finds the recordings of maps that have a report of their own, ``report.html`` in their folder.

    Parameters
    ----------
    maps : Path
    target : Path
        The other page; addresses are relative to it.

    Returns
    -------
    dict of str to str
        Address by recording; empty where the maps have no such report.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps = example_maps()
    >>> (maps / "report.html").touch()
    >>> recording_links(maps, maps.parent / "run" / "report.html")["p001_v1"].endswith("/report.html#r-p001_v1")
    True
    """
    page = maps / "report.html"
    if not page.is_file():
        return {}
    files = page.with_name(f"{page.stem}_files")
    # parts of an address are divided by slashes on every system
    place = quote(Path(os.path.relpath(maps.resolve(), target.resolve().parent)).as_posix())
    with Shards(maps) as shards:
        names = {one.recording_id: file_name(one.recording_id) for one in shards.recordings()}
    return {
        one: f"{place}/{quote(files.name)}/{quote(name)}.html"
        if (files / f"{name}.html").is_file()
        else f"{place}/{page.name}#r-{name}"
        for one, name in names.items()
    }


def neighbors(names: Sequence[str], name: str) -> tuple[str, str]:
    """Return the names before and after one in a list; empty at its ends.

    Examples
    --------
    >>> neighbors(["a", "b", "c"], "b"), neighbors(["a", "b", "c"], "c")
    (('a', 'c'), ('b', ''))
    """
    place = names.index(name)
    return (names[place - 1] if place else ""), (names[place + 1] if place + 1 < len(names) else "")


def maps_title(shards: Shards) -> str:
    """Return the heading of a page about maps: their database, and the name of their folder where it says more.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     maps_title(Shards(example_maps(Path(folder) / "sleep-study"))), maps_title(Shards(example_maps(Path(folder) / "maps")))
    ('Maps of example: sleep-study', 'Maps of example')
    """
    source = database_of(shards)
    if source["Study"]:
        return f"Maps of {source['Study']}"
    database = source["Key"] or source["Name"] or "an unnamed database"
    study = study_name([shards.root], beside=database)
    # videos of one's own have no database but the study
    if study and database == "folder":
        return f"Maps of {study}"
    return f"Maps of {database}{f': {study}' if study else ''}"


def _remove_stale(folder: Path, wanted: set[str], *, library_too: bool) -> None:
    """Remove the files of an earlier report; all other files stay."""
    for path in sorted(folder.glob("*.html")) if folder.is_dir() else ():
        with suppress(OSError):
            if path.name not in wanted and path.is_file() and not path.is_symlink() and _GENERATED in path.read_bytes()[:400]:
                path.unlink()
    with suppress(OSError):
        if library_too:
            (folder / LIBRARY_FILE).unlink(missing_ok=True)
        folder.rmdir()


@dataclass(frozen=True, slots=True, eq=False)
class HeartRates:
    """Counts over bins of heart rates.

    Parameters
    ----------
    edges_bpm : (B + 1,) array
    videos, recorded, added : (B,) array of int
        Recordings by their mean label, windows as recorded, and windows that an augmentation added.
    unlabeled_videos, unlabeled_windows : int
        Those without a heart rate.
    """

    edges_bpm: npt.NDArray[np.float64]
    videos: npt.NDArray[np.int64]
    recorded: npt.NDArray[np.int64]
    added: npt.NDArray[np.int64]
    unlabeled_videos: int
    unlabeled_windows: int

    def flatness(self, *, augmented: bool = False) -> float:
        """Compute the normalized entropy of the windows as recorded, or together with those added."""
        return normalized_entropy(self.recorded + self.added if augmented else self.recorded)

    def window_chart(self) -> Chart:
        """Draw the histogram of windows, as recorded and added."""
        layers = [Bars("as recorded", "s1", self.recorded.tolist())]
        if self.added.any():
            layers.append(Bars("added by resampling", "s2", self.added.tolist()))
        return histogram(self.edges_bpm.tolist(), layers, x_label="heart rate (bpm)", y_label="windows")

    def video_chart(self) -> Chart:
        """Draw the histogram of videos."""
        layers = [Bars("videos", "s3", self.videos.tolist())]
        return histogram(self.edges_bpm.tolist(), layers, x_label="heart rate (bpm)", y_label="videos")


def group_reasons(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Group what was not built by status and reason: failed first, the most frequent first.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> [(many[0].reason, len(many)) for many in group_reasons(Shards(example_maps()).outcomes())]
    [('no_face', 1)]
    """
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes:
        if one.status != "ok":
            groups.setdefault((one.status, one.reason), []).append(one)
    return sorted(groups.values(), key=lambda many: (many[0].status != "failed", -len(many), many[0].reason))


def count_heart_rates(shards: Shards) -> HeartRates:
    """Count videos and windows over bins of 5 bpm that hold all labels.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> counts = count_heart_rates(Shards(example_maps()))
    >>> int(counts.videos.sum()), int(counts.recorded.sum()), int(counts.added.sum())
    (3, 10, 0)
    """
    windows = shards.windows(augmented=True)
    recorded = np.array([one.heart_rate_bpm for one in windows if not one.augmented], dtype=np.float64)
    added = np.array([one.heart_rate_bpm for one in windows if one.augmented], dtype=np.float64)
    videos = np.array([one.heart_rate_mean_bpm for one in shards.recordings()], dtype=np.float64)
    bins = _bins(np.concatenate([recorded, added, videos]))
    by_video, by_window = bins.count(videos), bins.count(recorded)
    # one beyond all bins is no heart rate of a person
    unlabeled = len(videos) - int(by_video.sum()), len(recorded) - int(by_window.sum())
    return HeartRates(bins.edges_bpm, by_video, by_window, bins.count(added), *unlabeled)


def _bins(rates: npt.NDArray[np.float64]) -> RateBins:
    known = rates[np.isfinite(rates) & (rates > 0) & (rates < 400)]
    low = min(USUAL_BPM[0], BIN_BPM * np.floor(known.min(initial=np.inf) / BIN_BPM)) if known.size else USUAL_BPM[0]
    # the last bin does not hold its upper end
    high = max(USUAL_BPM[1], BIN_BPM * (np.floor(known.max(initial=0) / BIN_BPM) + 1)) if known.size else USUAL_BPM[1]
    return RateBins(max(low, BIN_BPM), high, BIN_BPM)


def outcome_table(outcomes: Sequence[Outcome]) -> Table:
    """Count what became of the recordings, by reason.

    Examples
    --------
    >>> outcome_table([Outcome("a", "a", "ok")]).rows
    [{'status': 'built', 'reason': '', 'recordings': 1, 'meaning': 'the recording was built'}]
    """
    built = sum(one.status == "ok" for one in outcomes)
    rows: list[dict[str, Any]] = [{"status": "built", "reason": "", "recordings": built, "meaning": REASONS[""]}]
    rows += [
        {"status": one.status, "reason": one.reason, "recordings": len(many), "meaning": REASONS.get(one.reason, "")}
        for many in group_reasons(outcomes)
        for one in many[:1]
    ]
    fields = [
        Field("status", "outcome"),
        Field("reason", "reason", "", "reason code, as in outcomes.csv"),
        Field("recordings", "recordings", kind="int"),
        Field("meaning", "meaning"),
    ]
    return Table("outcomes", "Outcomes by reason", "Each listed recording has exactly one outcome.", fields, rows)


def rate_table(rates: HeartRates) -> Table:
    """Return the counts over bins of heart rates as a table.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> rate_table(count_heart_rates(Shards(example_maps()))).rows[0]["low_bpm"]
    40.0
    """
    columns = (rates.edges_bpm[:-1], rates.edges_bpm[1:], rates.videos, rates.recorded, rates.added)
    names = ("low_bpm", "high_bpm", "videos", "windows_recorded", "windows_added")
    rows = [dict(zip(names, line, strict=True)) for line in zip(*(one.tolist() for one in columns), strict=True)]
    fields = [
        Field("low_bpm", "from", "bpm", "lower end of the bin, inside", "float"),
        Field("high_bpm", "to", "bpm", "upper end of the bin, outside", "float"),
        Field("videos", "videos", "", "recordings by their mean label", "int"),
        Field("windows_recorded", "windows as recorded", "", "windows by their label", "int"),
        Field("windows_added", "windows added", "", "windows that the augmentation added", "int"),
    ]
    note = f"{rates.unlabeled_videos} videos and {rates.unlabeled_windows} windows have no heart rate."
    return Table("heart_rates", "Heart rates", note, fields, rows)


def metric_table(qualities: Sequence[Quality]) -> Table:
    """Summarize the quality figures over all recordings.

    Examples
    --------
    >>> metric_table([]).rows[0]["known"]
    0
    """
    rows = []
    for metric in METRICS:
        values = np.array([getattr(one, metric.name) for one in qualities], dtype=np.float64)
        known = values[np.isfinite(values)]
        ends = np.percentile(known, [0, 25, 50, 75, 100]).tolist() if known.size else [float("nan")] * 5
        names = ("least", "quarter", "median", "three_quarters", "most")
        rows.append(
            {
                "metric": metric.heading,
                "unit": "share" if metric.unit == "1" else metric.unit,
                "known": int(known.size),
                **dict(zip(names, ends, strict=True)),
            }
        )
    fields = [
        Field("metric", "measure"),
        Field("unit", "unit"),
        Field("known", "recordings", "", "recordings in which it is known", "int"),
        Field("least", "smallest", "", "", "float", 2),
        Field("quarter", "25 %", "", "a quarter of the recordings lie below", "float", 2),
        Field("median", "median", "", "", "float", 2),
        Field("three_quarters", "75 %", "", "three quarters of the recordings lie below", "float", 2),
        Field("most", "largest", "", "", "float", 2),
    ]
    return Table("quality", "Quality over all recordings", "", fields, rows)


def label_problem_table(problems: Mapping[str, Counter[str]]) -> Table:
    """Count the windows without a heart rate, and their recordings, by the reason.

    Examples
    --------
    >>> found = {"a": Counter({"": 8, "label_gaps": 2}), "b": Counter(label_gaps=1), "c": Counter({"": 9})}
    >>> [(row["reason"], row["windows"], row["recordings"]) for row in label_problem_table(found).rows]
    [('label_gaps', 3, 2)]
    """
    windows: Counter[str] = sum(problems.values(), Counter())
    rows = [
        {
            "reason": code,
            "windows": count,
            "recordings": sum(bool(one[code]) for one in problems.values()),
            "meaning": LABEL_PROBLEMS.get(code, ""),
        }
        for code, count in windows.most_common()
        if code
    ]
    fields = [
        Field("reason", "reason", "", "label_problem, as in windows.csv"),
        Field("windows", "windows", kind="int"),
        Field("recordings", "recordings", "", "recordings with such a window", "int"),
        Field("meaning", "meaning"),
    ]
    note = f"{windows.total() - windows['']:,} of {windows.total():,} windows as recorded have no heart rate."
    return Table("label_problems", "Windows without a heart rate", note, fields, rows)


def recording_table(
    qualities: Sequence[Quality],
    links: Mapping[str, str] | None = None,
    images: Mapping[str, str] | None = None,
    notes: Mapping[str, int] | None = None,
) -> Table:
    """List the recordings with their quality figures, lowest pulse SNR first; an unknown one first.

    Examples
    --------
    >>> recording_table([]).sort_by
    'snr_db'
    """
    order = sorted(qualities, key=lambda one: (one.snr_db if np.isfinite(one.snr_db) else -np.inf, one.recording_id))
    fields = [
        Field("recording_id", "recording"),
        METRICS[0],
        Field("true_bpm", "label", "bpm", "mean labeled heart rate", "float", 1),
        Field("pos_bpm", "POS", "bpm", "highest peak of the POS spectrum", "float", 1),
        Field("error_bpm", "POS - label", "bpm", "estimate minus label", "float", 1, True),
        *METRICS[2:],
        Field("gaps", "gaps", "", "stretches without a known face", "int"),
        Field("duration_s", "length", "s", "length of the recording", "float", 1),
        *(
            [Field("notes", "notes", "", "notes and label problems, which its own section lists", "int")]
            if notes is not None
            else []
        ),
        Field("subject", "subject"),
        Field("scenario", "scenario", "", "in the database's own terms"),
        Field("camera", "camera", "", "in the database's own terms"),
    ]
    wanted = {one.name for one in fields}
    rows = [{key: value for key, value in one.row().items() if key in wanted} for one in order]
    if notes is not None:
        rows = [row | {"notes": notes.get(row["recording_id"], 0)} for row in rows]
    return Table(
        "recordings",
        "Recordings, worst first",
        "Sorted by pulse SNR; click a heading to sort by another column. The small map shows ten seconds of the green channel without what is "
        "slower than the pulse: columns that run through all rows are beats.",
        fields,
        rows,
        sort_by="snr_db",
        links=links or {},
        images=images or {},
        image_alt="small spatial-temporal map of",
        search=len(rows) > 20,
    )


def render_maps(
    outcomes: Sequence[Outcome],
    examined: Sequence[_Examined],
    rates: HeartRates,
    source: Mapping[str, str],
    about: About,
    *,
    links: Mapping[str, str],
    title: str,
    notes: Mapping[str, Sequence[str]],
    label_problems: Mapping[str, Counter[str]],
    simulated: bool = False,
    shortfalls: Sequence[Mapping[str, Any]] = (),
    folder: str = "",
) -> str:
    """Write the page.

    Parameters
    ----------
    outcomes : sequence of Outcome
    examined : sequence of (Quality, str, RecordingSection or None)
        Of each recording that was built: its figures, its small map as a data URI (empty: none), and its section where that stands on
        the page.
    rates : HeartRates
    source : mapping of str to str
        Of :func:`~.provenance.database_of`.
    about : About
    links : mapping of str to str
        Where the details of a recording are.
    title : str
    notes : mapping of str to sequence of str
        Recordings by note, of :func:`~stmap_pipeline.shards.notes.recordings_by_note`.
    label_problems : mapping of str to Counter
        Of :func:`~stmap_pipeline.shards.notes.label_problems_by_recording`.
    simulated : bool
    shortfalls : sequence of mapping
        Bins of the plan of the augmentation that could not be filled.
    folder : str
        Name of the folder of linked files; empty where there is none.

    Raises
    ------
    ExtraMissingError
        Where Jinja2 or plotly is not installed.
    """
    qualities = [quality for quality, _, _ in examined]
    counts = Counter(name for names in notes.values() for name in names)
    counts.update({name: sum(bool(count) for code, count in one.items() if code) for name, one in label_problems.items()})
    thumbs = {quality.recording_id: thumb for quality, thumb, _ in examined if thumb}
    recordings = recording_table(qualities, links, thumbs, counts)
    sections = {section.recording_id: section for _, _, section in examined if section}
    what = "What was built and what was not, which heart rates there are, and how good each recording is."
    page = Page(
        title,
        what if source["Name"] == source["Key"] else f"{source['Name'][:1].upper()}{source['Name'][1:]}. {what}",
        about,
        simulated,
    )
    return render(
        "maps.html",
        page,
        stats=_stats(outcomes, qualities, rates),
        outcomes=outcome_table(outcomes),
        reasons=group_reasons(outcomes),
        notes=notes,
        label_problems=label_problem_table(label_problems),
        links=links,
        rates=rates,
        short=shortfalls,
        metrics=METRICS,
        groups=[one for one in (group_panels(name, qualities) for name in ("scenario", "camera")) if one is not None],
        strips={one.name: _strip(one, qualities) for one in METRICS},
        quality=metric_table(qualities),
        recordings=recordings,
        details=[sections[row["recording_id"]] for row in recordings.rows if row["recording_id"] in sections],
        linked=folder,
    )


def _stats(outcomes: Sequence[Outcome], qualities: Sequence[Quality], rates: HeartRates) -> list[Stat]:
    counts = Counter(one.status for one in outcomes)
    errors = [one.abs_error_bpm for one in qualities if one.abs_error_bpm == one.abs_error_bpm]
    near = sum(one <= NEAR_BPM for one in errors)
    windows = int(rates.recorded.sum()) + rates.unlabeled_windows
    return [
        Stat(f"{counts['ok']:,}", f"recordings built, of {len(outcomes):,} listed"),
        Stat(f"{counts['failed']:,}", "failed", "bad" if counts["failed"] else ""),
        Stat(f"{counts['skipped']:,}", "skipped, with a reason"),
        Stat(f"{len({one.subject for one in qualities}):,}", "subjects"),
        Stat(f"{windows:,}", "windows as recorded"),
        Stat(f"{int(rates.added.sum()):,}", "windows added by resampling"),
        Stat(
            percent(near / len(errors)) if errors else UNKNOWN,
            f"of labeled recordings whose rate by POS is within {NEAR_BPM:g} bpm of the label",
        ),
    ]


#: So many scenarios or cameras are shown side by side; more are names of single recordings rather than groups.
MOST_GROUPS = 40


def group_panels(name: Literal["scenario", "camera"], qualities: Sequence[Quality]) -> tuple[Table, Chart, Chart] | None:
    """Compare the recordings by scenario or by camera; None where they are not divided so.

    Returns
    -------
    (Table, Chart, Chart) or None
        Medians of each group; pulse SNR and error of POS of each recording.
    """
    groups: dict[str, list[Quality]] = {}
    for one in sorted(qualities, key=lambda one: getattr(one, name)):
        groups.setdefault(getattr(one, name) or "not named", []).append(one)
    if not 2 <= len(groups) <= MOST_GROUPS:
        return None
    measures = [one for one in METRICS if one.name in ("snr_db", "abs_error_bpm", "coverage", "motion_per_s")]
    rows = []
    for part, many in groups.items():
        errors = [one.abs_error_bpm for one in many if np.isfinite(one.abs_error_bpm)]
        known = {one.name: [getattr(each, one.name) for each in many if np.isfinite(getattr(each, one.name))] for one in measures}
        rows.append(
            {
                "part": part,
                "recordings": len(many),
                "labeled": sum(bool(np.isfinite(one.true_bpm)) for one in many),
                "near": percent(sum(one <= NEAR_BPM for one in errors) / len(errors)) if errors else UNKNOWN,
                **{key: float(np.median(values)) if values else float("nan") for key, values in known.items()},
            }
        )
    fields = [
        Field("part", name),
        Field("recordings", "recordings", kind="int"),
        Field("labeled", "with a label", "", "recordings whose mean heart rate is known", "int"),
        Field("near", f"within {NEAR_BPM:g} bpm", "", "share of labeled recordings with POS this near to the label", "float"),
        *measures,
    ]
    note = "Medians over the recordings of each group. Good: all rows alike. Bad: one row far from the others; look for what its recordings share."
    table = Table(f"by_{name}", f"Recordings by {name}", note, fields, rows)
    snr, error = (
        grouped_strips(
            {part: {one.recording_id: getattr(one, metric.name) for one in many} for part, many in groups.items()},
            x_label=metric.axis,
        )
        for metric in METRICS[:2]
    )
    return table, snr, error


def _strip(metric: Metric, qualities: Sequence[Quality]) -> Chart:
    values = {one.recording_id: getattr(one, metric.name) for one in qualities}
    return strip_plot(values, x_label=metric.axis, limits=metric.limits, worst=metric.worst)
