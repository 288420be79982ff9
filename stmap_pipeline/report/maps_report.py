"""The report of a build: one HTML page, with a linked file for each recording where there are many; or its tables alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
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
from stmap_pipeline.records import Outcome, RecordingResult, file_name
from stmap_pipeline.report.charts import Bars, Figure, histogram, strip_plot
from stmap_pipeline.report.page import LIBRARY_FILE, Page, Section, Stat, check_extra, library, render
from stmap_pipeline.report.provenance import About, about_maps, database_of
from stmap_pipeline.report.quality import METRICS, Quality, measure_quality
from stmap_pipeline.report.recording_page import RecordingSection, examine_recording, with_usable_clock
from stmap_pipeline.report.tables import UNKNOWN, Field, Table, percent, write_tables
from stmap_pipeline.shards import Shards, read_augmentation
from stmap_pipeline.shards.manifest import MANIFEST

#: Up to so many recordings have their section on the page itself; more have a file each, beside it.
INLINE = 60
#: A process takes two seconds to start, and one recording a fortieth of that.
WORTH_A_PROCESS = 16
#: How many messages of one reason are shown before the rest is folded away.
MESSAGES = 10
#: An estimate this close to the label counts as right.
NEAR_BPM = 3.0
BIN_BPM = 5.0
USUAL_BPM = (40.0, 160.0)

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
    thumb: str = ""
    section: RecordingSection | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """What each worker needs: the build, what is to be made, and where the file of a recording goes (none: to the page itself)."""

    root: Path
    manifest: str
    kind: Kind
    show_faces: bool
    simulated: bool
    page: Path
    linked: bool

    @property
    def folder(self) -> Path:
        return self.page.absolute().with_name(f"{self.page.stem}_files")


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
        Whether to mark the recordings as synthetic data. Maps of stmap synth are marked without it.
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
        task = _Task(root.absolute(), sha256(root / MANIFEST), kind, show_faces, synthetic, target, linked)
        if linked:
            atomic_write_text(task.folder / LIBRARY_FILE, library())
        jobs = min(jobs, len(ids) // WORTH_A_PROCESS)
        examined: dict[str, _Examined] = {}
        yield ReportProgress(0, len(ids))
        here = (_examine(task, shards.recording(one)) for one in ids)
        for one in unordered(partial(_read_and_examine, task), ids, jobs) if jobs > 1 else here:
            examined[one.quality.recording_id] = one
            yield ReportProgress(len(examined), len(ids))
        qualities = [examined[name].quality for name in ids]
        if kind == "html":
            plan = read_augmentation(root)
            content = MapsContent(
                outcomes=shards.outcomes(),
                qualities=qualities,
                thumbs={name: one.thumb for name, one in examined.items() if one.thumb},
                sections={name: one.section for name, one in examined.items() if one.section},
                links={
                    name: f"{quote(task.folder.name)}/{file_name(name)}.html" if linked else f"#r-{file_name(name)}" for name in ids
                },
                rates=count_heart_rates(shards),
                source=database_of(shards),
                about=about_maps(shards, simulated=synthetic, command=command, plan=plan),
                simulated=synthetic,
                plan=plan,
                folder=task.folder.name if linked else "",
            )
            atomic_write_text(target, render_maps(content))
            _remove_stale(task.folder, {f"{file_name(name)}.html" for name in ids} if linked else set(), library_too=not linked)
        else:
            tables = [
                outcome_table(shards.outcomes()),
                rate_table(count_heart_rates(shards)),
                metric_table(qualities),
                recording_table(qualities),
            ]
            write_tables(tables, target, kind, about={"maps": str(root), "manifest_sha256": task.manifest, "simulated": synthetic})
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


@lru_cache(maxsize=1)
def _open(root: Path, manifest: str) -> Shards:  # noqa: ARG001 - another build at the same place has another manifest
    # once in a worker, not once a recording
    return Shards(root)


def _read_and_examine(task: _Task, recording_id: str) -> _Examined:
    return _examine(task, _open(task.root, task.manifest).recording(recording_id))


def _examine(task: _Task, result: RecordingResult) -> _Examined:
    with one_thread():
        if task.kind != "html":
            return _Examined(measure_quality(with_usable_clock(result)))
        recording_id = result.recording.recording_id
        quality, thumb, section = examine_recording(result, f"r-{file_name(recording_id)}", show_faces=task.show_faces)
        if not task.linked:
            return _Examined(quality, thumb, section)
        back = (f"../{quote(task.page.name)}#recordings-all", "all recordings")
        page = Page(recording_id, section.summary, simulated=task.simulated, back=back)
        text = render("recording.html", page, shared=True, section=section)
        atomic_write_text(task.folder / f"{file_name(recording_id)}.html", text)
        return _Examined(quality, thumb)


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


@dataclass(frozen=True, slots=True)
class Reason:
    """Recordings that share one outcome: ``status``, reason ``code``, its ``meaning``, and who they are with their messages."""

    status: str
    code: str
    meaning: str
    outcomes: Sequence[Outcome]


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


def group_reasons(outcomes: Sequence[Outcome]) -> list[Reason]:
    """Group what was not built by status and reason: failed first, the most frequent first.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> [(one.status, one.code, len(one.outcomes)) for one in group_reasons(Shards(example_maps()).outcomes())]
    [('failed', 'no_face', 1)]
    """
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes:
        if one.status != "ok":
            groups.setdefault((one.status, one.reason), []).append(one)
    order = sorted(groups, key=lambda key: (key[0] != "failed", -len(groups[key]), key[1]))
    return [Reason(status, code, REASONS.get(code, ""), groups[status, code]) for status, code in order]


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


def draw_heart_rates(rates: HeartRates) -> list[Figure]:
    """Draw the histograms of windows, as recorded and balanced, and of videos.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> [one.name for one in draw_heart_rates(count_heart_rates(Shards(example_maps())))]
    ['hr-windows', 'hr-videos']
    """
    edges = rates.edges_bpm.tolist()
    layers = [Bars("as recorded", "s1", rates.recorded.tolist())]
    title = "Windows by heart rate"
    caption = (
        "Mean labeled heart rate of each window, as recorded. Good: all rates in which the network will be used occur. Bad: a narrow peak; a "
        "network then learns to answer with its middle. Balancing (stmap augment) adds resampled windows."
    )
    if rates.added.any():
        layers.append(Bars("added by resampling", "s2", rates.added.tolist()))
        before, after = normalized_entropy(rates.recorded), normalized_entropy(rates.recorded + rates.added)
        title += ", before and after balancing"
        caption = (
            "Blue: windows as recorded. Orange: windows that the augmentation added, for training alone. Good: the columns together are flat or "
            "reach the target. Bad: tall orange columns far from the blue ones; few people are then shown over and over. "
            f"Flatness (normalized entropy, 1 is flat): {before:.2f} as recorded, {after:.2f} with the added ones."
        )
    videos = (
        "Mean labeled heart rate of each recording. Good: low and high rates come from several people. Bad: one or two videos at "
        "an end; results there are those of one person."
    )
    windows = histogram(edges, layers, x_label="heart rate (bpm)", y_label="windows")
    by_video = histogram(edges, [Bars("videos", "s3", rates.videos.tolist())], x_label="heart rate (bpm)", y_label="videos")
    return [Figure("hr-windows", title, caption, windows), Figure("hr-videos", "Videos by heart rate", videos, by_video)]


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
        {"status": one.status, "reason": one.code, "recordings": len(one.outcomes), "meaning": one.meaning}
        for one in group_reasons(outcomes)
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
                "metric": metric.field.heading,
                "unit": metric.field.unit,
                "known": int(known.size),
                **dict(zip(names, ends, strict=True)),
            }
        )
    fields = [
        Field("metric", "figure"),
        Field("unit", "unit"),
        Field("known", "recordings", "", "recordings in which it is known", "int"),
        Field("least", "smallest", "", "", "float", 2),
        Field("quarter", "25 %", "", "a quarter of the recordings lie below", "float", 2),
        Field("median", "median", "", "", "float", 2),
        Field("three_quarters", "75 %", "", "three quarters of the recordings lie below", "float", 2),
        Field("most", "largest", "", "", "float", 2),
    ]
    return Table("quality", "Quality over all recordings", "", fields, rows)


def recording_table(
    qualities: Sequence[Quality], links: Mapping[str, str] | None = None, images: Mapping[str, str] | None = None
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
        *(metric.field for metric in METRICS[:1]),
        Field("true_bpm", "label", "bpm", "mean labeled heart rate", "float", 1),
        Field("pos_bpm", "POS", "bpm", "highest peak of the POS spectrum", "float", 1),
        Field("error_bpm", "POS - label", "bpm", "estimate minus label", "float", 1, True),
        *(metric.field for metric in METRICS[2:]),
        Field("gaps", "gaps", "", "stretches without a known face", "int"),
        Field("duration_s", "length", "s", "length of the recording", "float", 1),
        Field("subject", "subject"),
        Field("scenario", "scenario", "", "in the database's own terms"),
        Field("camera", "camera", "", "in the database's own terms"),
    ]
    wanted = {one.name for one in fields}
    rows = [{key: value for key, value in one.row().items() if key in wanted} for one in order]
    return Table(
        "recordings",
        "Recordings, worst first",
        "Sorted by pulse SNR; a press on a heading sorts by another column. The small map shows ten seconds of the green channel without what is "
        "slower than the pulse: columns that run through all rows are beats.",
        fields,
        rows,
        sort_by="snr_db",
        links=links or {},
        images=images or {},
        image_alt="small spatial-temporal map of",
        search=len(rows) > 20,
    )


@dataclass(frozen=True, slots=True, eq=False)
class MapsContent:
    """What the page of a build shows.

    Parameters
    ----------
    outcomes : sequence of Outcome
    qualities : sequence of Quality
        One for each recording that was built.
    thumbs : mapping of str to str
        Data URI of the small map, by recording.
    sections : mapping of str to RecordingSection
        Those on the page itself, by recording.
    links : mapping of str to str
        Where the details of a recording are.
    rates : HeartRates
    source : mapping of str to str
        Of :func:`~.provenance.database_of`.
    about : About
    simulated : bool
    plan : mapping, optional
        Of the augmentation.
    folder : str
        Name of the folder of linked files; empty where there is none.
    """

    outcomes: Sequence[Outcome]
    qualities: Sequence[Quality]
    thumbs: Mapping[str, str]
    sections: Mapping[str, RecordingSection]
    links: Mapping[str, str]
    rates: HeartRates
    source: Mapping[str, str]
    about: About
    simulated: bool
    plan: Mapping[str, Any] | None = None
    folder: str = ""


def render_maps(content: MapsContent) -> str:
    """Write the page.

    Raises
    ------
    ExtraMissingError
        Where Jinja2 or plotly is not installed.
    """
    table = recording_table(content.qualities, content.links, content.thumbs)
    order = [row["recording_id"] for row in table.rows]
    rates, source = content.rates, content.source
    sections = [
        Section("built", "Built, skipped, failed"),
        Section("heart-rates", "Heart rates"),
        Section("metrics", "Quality"),
        Section("recordings-all", "Recordings"),
        *([Section("details", "Details")] if content.sections else []),
    ]
    what = "What was built and what was not, which heart rates there are, and how good each recording is."
    page = Page(
        f"Maps of {source['Key'] or source['Name'] or 'an unnamed database'}",
        what if source["Name"] == source["Key"] else f"{source['Name'][:1].upper()}{source['Name'][1:]}. {what}",
        sections,
        content.about,
        content.simulated,
    )
    return render(
        "maps.html",
        page,
        stats=_stats(content),
        outcomes=outcome_table(content.outcomes),
        reasons=group_reasons(content.outcomes),
        messages=MESSAGES,
        built=len(content.qualities),
        windows=int(rates.recorded.sum() + rates.added.sum()) + rates.unlabeled_windows,
        labeled=int(rates.recorded.sum()),
        rate_figures=draw_heart_rates(rates),
        short=[one for one in (content.plan or {}).get("bins", []) if one.get("shortfall")],
        metrics=METRICS,
        strips=_strips(content.qualities),
        quality=metric_table(content.qualities),
        recordings=table,
        details=[content.sections[name] for name in order if name in content.sections],
        linked=content.folder,
    )


def _stats(content: MapsContent) -> list[Stat]:
    counts = {status: sum(one.status == status for one in content.outcomes) for status in ("ok", "skipped", "failed")}
    errors = [one.abs_error_bpm for one in content.qualities if one.abs_error_bpm == one.abs_error_bpm]
    near = sum(one <= NEAR_BPM for one in errors)
    rates = content.rates
    windows = int(rates.recorded.sum()) + rates.unlabeled_windows
    return [
        Stat(f"{counts['ok']:,}", f"recordings built, of {len(content.outcomes):,} listed"),
        Stat(f"{counts['failed']:,}", "failed", "bad" if counts["failed"] else ""),
        Stat(f"{counts['skipped']:,}", "skipped, with a reason"),
        Stat(f"{len({one.subject for one in content.qualities}):,}", "subjects"),
        Stat(f"{windows:,}", "windows as recorded"),
        Stat(f"{int(rates.added.sum()):,}", "windows added by resampling"),
        Stat(percent(near / len(errors)) if errors else UNKNOWN, f"of labeled recordings with POS within {NEAR_BPM:g} bpm"),
    ]


def _strips(qualities: Sequence[Quality]) -> list[Figure]:
    figures = []
    for metric in METRICS:
        values = {one.recording_id: getattr(one, metric.name) for one in qualities}
        chart = strip_plot(values, x_label=metric.axis, limits=metric.limits, worst=metric.worst)
        title = metric.field.heading[0].upper() + metric.field.heading[1:]
        # the first sums up all others
        figures.append(Figure(f"q-{metric.name.replace('_', '-')}", title, metric.reading, chart, wide=metric is METRICS[0]))
    return figures
