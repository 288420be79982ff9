"""Check a source folder before anything is built: all that can be known of videos, clocks and labels without decoding.

:func:`plan_check` lists the recordings and finds what is wrong with the folder as a whole; :func:`check_recordings` looks at each
recording, of whose video no more than one frame is decoded.
"""

from __future__ import annotations

import re
import stat
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline import registry
from stmap_pipeline.config import Config, parse_span
from stmap_pipeline.databases.base import Database
from stmap_pipeline.databases.folder import find_videos, read_listing
from stmap_pipeline.databases.synthetic import known_quirks
from stmap_pipeline.errors import DatabaseError, RecordingError, printable
from stmap_pipeline.files import first_copies
from stmap_pipeline.labels import Labels, check_sources, read_frame_times, read_labels, span_problem, unit_problem
from stmap_pipeline.labels.video_span import speed_hint
from stmap_pipeline.pipeline.findings import Finding
from stmap_pipeline.pipeline.plan import list_recordings
from stmap_pipeline.pipeline.user_videos import fit_windows, notes_of_listing
from stmap_pipeline.records import ClockSource, HeartRateTrace, PulseTrace, Recording, duration_s, median_interval_s
from stmap_pipeline.video import CUT_OFF, VideoFacts, probe_video, video_start
from stmap_pipeline.video.probe import MAX_READ_BYTES

FloatArray = npt.NDArray[np.float64]

# standard deviation of the times between frames, in units of their median; a longer one than two intervals is a gap, not jitter
_MAX_JITTER, _JITTER_CLIP = 0.25, 2.0
_GAP_S = 0.5
#: So many frames more or less than times are the end of a recording that was stopped.
FRAMES_SLACK = 2
_DURATION_SLACK_S = 1.0
_DOUBTFUL_CLOCK = frozenset({"cut_off", "frame_count", "frame_rate", "clock_gap", "clock_jitter"})
_MAX_UNKNOWN_SHARE = 0.1
_USUAL_BPM = (25.0, 240.0)
_MAX_JUMP_BPM, _JUMP_WITHIN_S = 50.0, 2.0
# where a pulse wave and a heart rate belong together, most power lies near that rate
_SHORTEST_SPECTRUM_S, _SPECTRUM_STEP_S, _SPECTRUM_BPM, _NEAR_BPM, _LEAST_SHARE = 5.0, 1 / 32, (40.0, 240.0), 12.0, 0.15
_FEWEST_FRAMES = 2
_AT_ONCE, _OPENING_S = 32, 0.1
# of the subjects of a database: where more are missing, a part was copied on purpose
_WHOLE = 0.9
# quirk of a drawn recording -> the finding that it is there for
_BY_QUIRK = {
    "hr_255": "label_unknown",
    "no_wave": "source_missing",
    "no_pressure": "source_missing",
    "short_label": "label_duration",
    "long_label": "label_duration",
}
# listed, and not among the videos that publications count
_NO_VIDEO = frozenset({"absent", "nir", "duplicate"})
_NUMBERED = re.compile(r"(\D*)(\d+)\Z")


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """A check before its recordings are looked at.

    Parameters
    ----------
    database : Database
    source : Path
    config : Config
    listed : tuple of Recording
        All of the listing, those that are to be skipped included.
    todo : tuple of Recording
        Those to look at.
    findings : tuple of Finding
        About the folder as a whole.
    known : mapping of str to frozenset of str
        Recording -> codes that are no news: known defects of the database.
    """

    database: Database
    source: Path
    config: Config
    listed: tuple[Recording, ...] = ()
    todo: tuple[Recording, ...] = ()
    findings: tuple[Finding, ...] = ()
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)


def plan_check(database: str, source: str | Path, config: Config | None = None, *, subject: str = "") -> CheckPlan:
    """List the recordings of a database, and find what is wrong with the listing itself.

    Parameters
    ----------
    database : str
        Name in the registry.
    source : str or Path
    config : Config, optional
    subject : str
        As in :func:`.plan.plan_build`.

    Raises
    ------
    UnknownNameError
        Where there is no such database.

    Examples
    --------
    >>> plan_check("vipl-hr", Path("nowhere")).findings[0].code
    'listing'
    """
    source = Path(source)
    adapter: Database = registry.load("databases", database)
    settings = config or Config()
    findings: list[Finding] = []
    try:
        if adapter.list_by_subject is not None and source.exists():
            listing = read_listing(source, subject)
            recordings = sorted(listing.recordings, key=lambda one: one.recording_id)
            findings += [Finding(code, message) for code, message in listing.conflicts]
        else:
            recordings = list_recordings(adapter, source, subject)
    except DatabaseError as error:
        return CheckPlan(adapter, source, settings, findings=(Finding("listing", str(error)),))
    todo = [one for one in recordings if not one.skip_reason]
    if adapter.list_by_subject is not None:
        settings, more = fit_windows(recordings, settings)
        findings += more + notes_of_listing(source, recordings, {})
        findings += _not_listed(source, recordings)
    else:
        findings += _copies(todo)
    findings += [*_folds(recordings), *_similar_subjects(recordings), *_missing_subjects(adapter, recordings)]
    unlabeled = [one for one in todo if not one.labels]
    if unlabeled:
        what = (
            "no recording has a label"
            if len(unlabeled) == len(todo)
            else f"{len(unlabeled)} of {len(todo)} recordings have no label"
        )
        findings.append(Finding("no_label", what))
    return CheckPlan(adapter, source, settings, tuple(recordings), tuple(todo), tuple(findings), _known(adapter, source, todo))


def check_recordings(plan: CheckPlan) -> Iterator[list[Finding]]:
    """Check the recordings of a plan one after another, and yield what is found of each.

    Some videos are opened, for a tenth of a second, before the labels of their recordings are read: the work of a decoder empties the
    caches of a processor, and all together takes a fifth longer where the two take turns.
    """
    todo = iter(plan.todo)
    while some := _opened(todo, plan.config):
        for one in some:
            yield _findings(one, plan)


def _opened(todo: Iterator[Recording], config: Config) -> list[_Sources]:
    """Open the next videos: 32, or as many as a tenth of a second is enough for."""
    some: list[_Sources] = []
    begin_s = time.monotonic()
    for recording in todo:
        some.append(_Sources(recording, config))
        some[-1].open_video()
        if len(some) == _AT_ONCE or time.monotonic() > begin_s + _OPENING_S:
            break
    return some


def check_recording(recording: Recording, plan: CheckPlan) -> list[Finding]:
    """Check video, clock and labels of one recording.

    No more than one frame of its video is decoded.
    """
    sources = _Sources(recording, plan.config)
    sources.open_video()
    return _findings(sources, plan)


def _findings(sources: _Sources, plan: CheckPlan) -> list[Finding]:
    name = sources.recording.recording_id
    known = plan.known.get(name, frozenset())
    return [
        Finding("known", f"{code}: {message}", name) if code in known else Finding(code, message, name)
        for code, message in sources.problems()
    ]


class _Sources:
    """Video, clock and labels of one recording, looked at one after another."""

    def __init__(self, recording: Recording, config: Config) -> None:
        self.recording, self._config = recording, config
        self._facts: VideoFacts | None = None
        self._no_video: RecordingError | None = None
        self._times_s: FloatArray = np.zeros(0)
        self._doubtful = False

    def open_video(self) -> None:
        """Read what the container says, and decode one frame."""
        try:
            self._facts = probe_video(self.recording)
        except RecordingError as error:
            self._no_video = error

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield code and message of each problem; durations are compared where the clock is beyond doubt."""
        before = [*self._of_video(), *self._of_clock()]
        yield from before
        self._doubtful = any(code in _DOUBTFUL_CLOCK for code, _ in before)
        if self._times_s.size > 1 and not self._doubtful:
            yield from self._of_duration()
        yield from self._of_labels()

    def _of_video(self) -> Iterator[tuple[str, str]]:
        name, facts = printable(self.recording.video.path.name), self._facts
        if self._no_video is not None:
            yield self._no_video.reason, str(self._no_video)
        if facts is not None and facts.cut_off:
            yield "cut_off", f"{name}: {CUT_OFF}"
        if facts is not None and facts.pixel_format.startswith("gray"):
            yield "no_color", f"{name}: is gray ({facts.pixel_format}), and a pulse shows in color"

    def _of_clock(self) -> Iterator[tuple[str, str]]:
        clock, facts = self.recording.clock, self._facts
        where = printable((clock.path or self.recording.video.path).name)
        if clock.path is not None:
            try:
                self._times_s = read_frame_times(clock.path, clock.unit_s, clock.column)
            except RecordingError as error:
                yield error.reason, str(error)
                return
            known = facts is not None and facts.frames and not facts.cut_off
            if known and facts is not None and abs(facts.frames - self._times_s.size) > FRAMES_SLACK:
                yield "frame_count", f"{where}: {self._times_s.size} times for {facts.frames} frames"
        elif clock.rate_hz is not None:
            self._times_s = np.arange(facts.frames if facts is not None else 0) / clock.rate_hz
        elif facts is not None:
            self._times_s = facts.times_s
            path = self.recording.video.path
            if self.recording.video.kind == "file" and not facts.times_s.size and path.stat().st_size <= MAX_READ_BYTES:
                yield (
                    "no_frame_times",
                    f"{where}: holds no times of its frames, which are counted at {facts.rate_hz:.4g} frames/s; set rate_hz",
                )
        found = [*_problems_of_times(where, self._times_s)]
        yield from found
        if not found and (problem := span_problem(self._times_s)):
            yield "clock_unreadable", f"{where}: {problem}"
            self._times_s = np.zeros(0)

    def _of_duration(self) -> Iterator[tuple[str, str]]:
        where = printable((self.recording.clock.path or self.recording.video.path).name)
        length_s = duration_s(self._times_s)
        windows = self._config.windows
        value, unit = parse_span(windows.length)
        window_s = value if unit == "s" else value * median_interval_s(self._times_s)
        if unit == "frames" and windows.clock == "uniform":
            window_s = value / windows.rate_hz
        if length_s < self._config.limits.min_duration_s:
            yield "too_short", f"{where}: lasts {length_s:.2f} s (limit {self._config.limits.min_duration_s:g} s)"
        elif length_s < 0.999 * window_s:
            yield "short", f"{where}: lasts {length_s:.1f} s, less than one window ({windows.length})"

    def _of_labels(self) -> Iterator[tuple[str, str]]:
        recording = self.recording
        if self._doubtful and recording.clock.path in {one.path for one in recording.labels}:
            return  # one file with one mistake
        missing = False
        for kind in dict.fromkeys(one.kind for one in recording.labels):
            paths = [one.path for one in recording.labels if one.kind == kind]
            sizes = [_file_bytes(path) for path in paths if path is not None]
            if len(sizes) < len(paths) or max(sizes) > 0:
                continue
            names = " and ".join(printable(path.name) for path in paths if path is not None)
            if max(sizes) < 0:
                missing = True
                yield "source_missing", f"{names}: the file of the {kind.replace('_', ' ')} is not there"
            elif min(sizes) == 0:
                missing = True
                yield "label_unreadable", f"{names}: is empty"
        alone = False
        try:
            start = partial(video_start, recording.video)
            if self._times_s.size < _FEWEST_FRAMES:
                check_sources(recording, start)
                return
            if self._doubtful:
                # without the clock: what compares a label with times that are wrong tells nothing of the label
                check_sources(replace(recording, clock=ClockSource()), start)
                alone = True
            labels = read_labels(recording, self._times_s, start)
        except RecordingError as error:
            # a required file that is missing or has 0 bytes is known by now, and a clock that cannot be read, too
            if error.reason != "clock_unreadable" and not (missing and error.reason == "source_missing") and not alone:
                yield error.reason, str(error)
            return
        if not self._doubtful:
            yield from (("label_note", one) for one in labels.notes)
        yield from self._of_traces(labels)

    def _of_traces(self, labels: Labels) -> Iterator[tuple[str, str]]:
        names = {one.kind: printable(one.path.name) for one in self.recording.labels if one.path is not None}
        heart_rate, pulse = labels.heart_rate, labels.pulse
        if heart_rate is not None and "heart_rate" in names:
            yield from self._of_span(names["heart_rate"], heart_rate.times_s, heart_rate.heart_rate_bpm, "heart_rate")
            yield from _problems_of_heart_rate(names["heart_rate"], heart_rate)
        if pulse is not None and "pulse" in names:
            yield from self._of_span(names["pulse"], pulse.times_s, pulse.value, "pulse")
            yield from _problems_of_pulse(names["pulse"], pulse)
            if heart_rate is not None and "heart_rate" in names and labels.heart_rate_from == "heart_rate":
                yield from _disagreement(names["pulse"], names["heart_rate"], pulse, heart_rate)

    def _of_span(self, name: str, times_s: FloatArray, values: FloatArray, kind: str) -> Iterator[tuple[str, str]]:
        source = next(one for one in self.recording.labels if one.kind == kind)
        first_s, last_s = self._times_s[0], self._times_s[-1]
        unknown = float(np.mean(~np.isfinite(values))) if values.size else 1.0
        if unknown > _MAX_UNKNOWN_SHARE:
            yield "label_unknown", f"{name}: {unknown:.0%} of {values.size} samples have no value"
        if not times_s.size or self._doubtful:
            return
        # a sample stands for the time up to the next one
        spacing_s = median_interval_s(times_s)
        if spacing_s > (last_s - first_s) / 2:
            yield (
                "label_duration",
                f"{name}: a sample every {spacing_s:.4g} s for a video of {last_s - first_s:.1f} s; is the unit right?",
            )
            return
        yield from _gaps_of_label(name, times_s, spacing_s, first_s, last_s)
        slack_s = _DURATION_SLACK_S + spacing_s
        early, late = times_s[0] - first_s, last_s - (times_s[-1] + spacing_s)
        longer = times_s[-1] - last_s if source.rate_hz is not None or source.per_frame else 0.0
        label, video = f"{times_s[-1] - times_s[0] + spacing_s:.1f} s", f"{last_s - first_s:.1f} s"
        hint = speed_hint(times_s, self._times_s)
        if max(early, late) > slack_s:
            yield "label_duration", f"{name}: lasts {label}, and the video {video}: {max(early, late):.1f} s have no label{hint}"
        elif hint:
            yield "video_speed", f"{name}: lasts {label}, and the video {video}{hint}"
        elif longer > slack_s:
            yield "label_duration", f"{name}: lasts {label}, and the video {video}: do both begin together?"


def _file_bytes(path: Path) -> int:
    """Return the size of a file, -1 where it is not there, and 1 for what is no regular file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else 1


def _gaps_of_label(name: str, times_s: FloatArray, spacing_s: float, first_s: float, last_s: float) -> Iterator[tuple[str, str]]:
    """Compare what samples leave out inside the video with a tenth of it."""
    inside_s = np.clip(times_s, first_s, last_s)
    steps_s = np.diff(inside_s)
    gaps_s = np.where(np.diff(times_s) > 2 * spacing_s, np.maximum(steps_s - spacing_s, 0.0), 0.0)
    if gaps_s.size and gaps_s.sum() > _MAX_UNKNOWN_SHARE * (last_s - first_s):
        at = int(np.argmax(gaps_s))
        yield (
            "label_unknown",
            f"{name}: no sample from {inside_s[at]:.1f} to {inside_s[at + 1]:.1f} s of the video; are its times right?",
        )


def _problems_of_times(where: str, times_s: FloatArray) -> Iterator[tuple[str, str]]:
    if times_s.size < 3:
        return
    steps_s = np.diff(times_s)
    usual_s = median_interval_s(times_s)
    if problem := unit_problem(times_s):
        yield "frame_rate", f"{where}: {problem}"
        return
    gaps = np.flatnonzero(steps_s > max(_GAP_S, 2 * usual_s))
    if gaps.size:
        start_s, stop_s = times_s[gaps[0]] - times_s[0], times_s[gaps[0] + 1] - times_s[0]
        more = f", and {gaps.size - 1} more gaps" if gaps.size > 1 else ""
        yield "clock_gap", f"{where}: no frame from {start_s:.2f} s to {stop_s:.2f} s{more}"
    jitter = float(np.std(np.minimum(steps_s, _JITTER_CLIP * usual_s))) / usual_s
    if jitter > _MAX_JITTER:
        low_ms, high_ms = 1000 * np.percentile(steps_s, (5, 95))
        yield "clock_jitter", f"{where}: {low_ms:.0f} to {high_ms:.0f} ms between frames (standard deviation {jitter:.0%})"


def _problems_of_heart_rate(name: str, trace: HeartRateTrace) -> Iterator[tuple[str, str]]:
    bpm = trace.heart_rate_bpm
    known = np.isfinite(bpm)
    odd = known & ((bpm < _USUAL_BPM[0]) | (bpm > _USUAL_BPM[1]))
    if odd.any():
        example = bpm[np.argmax(odd)]
        yield (
            "heart_rate_range",
            f"{name}: {int(odd.sum())} of {int(known.sum())} heart rates are outside 25 to 240 bpm ({example:g})",
        )
    near = np.diff(trace.times_s[known & ~odd]) <= _JUMP_WITHIN_S
    jumps = np.flatnonzero((np.abs(np.diff(bpm[known & ~odd])) > _MAX_JUMP_BPM) & near)
    if jumps.size:
        before, after = bpm[known & ~odd][jumps[0] : jumps[0] + 2]
        at_s = trace.times_s[known & ~odd][jumps[0]]
        yield "heart_rate_jump", f"{name}: from {before:g} to {after:g} bpm at {at_s:.1f} s"


def _problems_of_pulse(name: str, trace: PulseTrace) -> Iterator[tuple[str, str]]:
    known = trace.value[np.isfinite(trace.value)]
    if known.size > 1 and np.ptp(known) == 0:
        yield "pulse_flat", f"{name}: all {known.size} samples are {known[0]:g}"


def _disagreement(pulse_name: str, rate_name: str, pulse: PulseTrace, heart_rate: HeartRateTrace) -> Iterator[tuple[str, str]]:
    """Compare the spectrum of a pulse wave with the heart rates of the label at the same time."""
    bpm = heart_rate.heart_rate_bpm[np.isfinite(heart_rate.heart_rate_bpm)]
    value = pulse.value[np.isfinite(pulse.value)]
    if not bpm.size or value.size < 2 or np.ptp(pulse.times_s) < _SHORTEST_SPECTRUM_S or np.ptp(value) == 0:
        return
    spacing_s = float(np.ptp(pulse.times_s)) / (pulse.times_s.size - 1)
    every = max(1, int(_SPECTRUM_STEP_S / spacing_s))
    wave = (value[::every] - value.mean()) * np.hanning(value[::every].size)
    rates_bpm = 60 * np.fft.rfftfreq(4 * wave.size, every * spacing_s)
    power = np.abs(np.fft.rfft(wave, 4 * wave.size)) ** 2
    usual = (rates_bpm >= _SPECTRUM_BPM[0]) & (rates_bpm <= _SPECTRUM_BPM[1])
    near = (rates_bpm >= bpm.min() - _NEAR_BPM) & (rates_bpm <= bpm.max() + _NEAR_BPM)
    if usual.any() and power[usual & near].sum() < _LEAST_SHARE * power[usual].sum():
        peak_bpm = rates_bpm[usual][np.argmax(power[usual])]
        yield (
            "label_disagreement",
            f"{pulse_name}: beats at {peak_bpm:.0f} bpm, and {rate_name} says {bpm.min():.0f} to {bpm.max():.0f}",
        )


# ---- the folder as a whole


def _copies(recordings: Sequence[Recording]) -> Iterator[Finding]:
    # several recordings may stand in one archive
    files = [one for one in recordings if not one.video.member]
    for copy, original in first_copies([one.video.path for one in files]).items():
        one, first = files[copy], files[original]
        what = f"{printable(one.video.path)} has the same content as {printable(first.video.path)}"
        yield Finding("copy", f"{what} (subjects {one.subject} and {first.subject})", one.recording_id)


def _folds(recordings: Sequence[Recording]) -> Iterator[Finding]:
    folds: dict[str, set[int | None]] = defaultdict(set)
    for one in recordings:
        folds[one.subject].add(one.fold)
    without = sorted(subject for subject, found in folds.items() if found == {None})
    if without and len(without) < len(folds):
        yield Finding("no_fold", f"{_few(without)} in no fold, while the others have one")
    for subject, found in folds.items():
        if len(found) > 1:
            yield Finding("fold", f"subject {subject} is in folds {', '.join(str(one) for one in sorted(found, key=str))}")


def _similar_subjects(recordings: Sequence[Recording]) -> Iterator[Finding]:
    same: dict[str, set[str]] = defaultdict(set)
    for one in recordings:
        same[one.subject.casefold()].add(one.subject)
    for names in same.values():
        if len(names) > 1:
            yield Finding("similar_subjects", f"{' and '.join(sorted(names))} differ in case alone and count as different people")


def _missing_subjects(adapter: Database, recordings: Sequence[Recording]) -> Iterator[Finding]:
    """Compare with what is published, and where most subjects are there, name those whose numbers are left out."""
    subjects = {one.subject for one in recordings if one.skip_reason != "absent"}
    if not adapter.subjects or adapter.simulated:
        return
    gaps = _gaps(subjects) if adapter.consecutive else []
    videos = sum(one.skip_reason not in _NO_VIDEO for one in recordings)
    counts = f"{len(subjects)} of {adapter.subjects} subjects" + (
        f", {videos} of {adapter.videos} videos" if adapter.videos else ""
    )
    if len(subjects) < _WHOLE * adapter.subjects or (len(subjects) >= adapter.subjects and videos < adapter.videos):
        yield Finding("partial", f"a part of {adapter.name}: {counts}")
    elif len(subjects) < adapter.subjects:
        which = f": {_few(gaps)}" if len(gaps) == adapter.subjects - len(subjects) else ""
        yield Finding("recording_count", f"{adapter.subjects - len(subjects)} of {adapter.subjects} subjects are not there{which}")
        return
    if gaps and 2 * len(gaps) <= len(subjects):
        yield Finding(
            "recording_count", f"{_few(gaps)} {'are' if len(gaps) > 1 else 'is'} not there, and others before and after are"
        )


def _gaps(subjects: set[str]) -> list[str]:
    """Return the names that a numbering leaves out."""
    numbered = [match for match in map(_NUMBERED.match, sorted(subjects)) if match]
    if len(numbered) < len(subjects) or len({match[1] for match in numbered}) != 1:
        return []
    width = min(len(match[2]) for match in numbered)
    numbers = {int(match[2]) for match in numbered}
    return [f"{numbered[0][1]}{number:0{width}d}" for number in range(min(numbers), max(numbers)) if number not in numbers]


def _not_listed(source: Path, recordings: Sequence[Recording]) -> Iterator[Finding]:
    root = source.absolute()
    if not root.is_dir():
        return
    listed = {one.video.path for one in recordings}
    others = [one for one in find_videos(root) if one not in listed]
    if others:
        yield Finding("not_listed", f"in no entry of the description: {_few([printable(one.relative_to(root)) for one in others])}")


def _known(adapter: Database, source: Path, recordings: Sequence[Recording]) -> dict[str, frozenset[str]]:
    """Return the codes that are known of single recordings: by the notes of the database, or because they were drawn so."""
    known = {
        one.recording_id: frozenset({"source_missing", "label_duration"})
        for one in recordings
        if one.notes and adapter.list_by_subject is None
    }
    drawn = {
        name: frozenset(_BY_QUIRK[quirk] for quirk in quirks if quirk in _BY_QUIRK) for name, quirks in known_quirks(source).items()
    }
    return known | drawn


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def by_code(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Sort findings by their codes, the most frequent first."""
    counts = Counter(one.code for one in findings)
    return {code: [one for one in findings if one.code == code] for code, _ in counts.most_common()}
