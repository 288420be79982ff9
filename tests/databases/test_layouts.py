"""What each layout writes, its adapter reads: ids, clocks and labels are those of the drawn recordings, and damage is noticed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from databases.drawn import draw_small

from stmap_pipeline.config import Config
from stmap_pipeline.errors import RecordingError
from stmap_pipeline.evaluation import compare_heart_rate
from stmap_pipeline.labels import Labels, check_sources, read_frame_times, read_labels
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import Recording
from stmap_pipeline.registry import load, names
from stmap_pipeline.synth import plan_synthesis
from stmap_pipeline.synth.recordings import RecordingPlan

DURATION_S = 8.0
# V4V has a subject for each of its three sets, and UBFC-rPPG one for each part
SUBJECTS = {"v4v": 3, "ubfc-rppg": 2}
LIMIT_BPM = 2.0


class Drawn:
    """A drawn tree, with what its adapter lists."""

    def __init__(self, root: Path, layout: str) -> None:
        self.plans = draw_small(root, layout, SUBJECTS.get(layout, 1), DURATION_S)
        self.listed = {one.recording_id: one for one in load("databases", layout).list_recordings(root)}

    def wanted(self) -> Iterator[tuple[Recording, RecordingPlan]]:
        """Yield each recording that is to be built, with its plan."""
        yield from ((one, self.plans[key]) for key, one in self.listed.items() if not one.skip_reason)


@pytest.fixture(scope="module", params=names("layouts"))
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return Drawn(tmp_path_factory.mktemp(request.param), request.param)


def frame_times_s(one: Recording, plan: RecordingPlan) -> np.ndarray:
    """Return the times of the frames as the build would find them."""
    if one.clock.kind == "times_file":
        assert one.clock.path is not None
        return read_frame_times(one.clock.path, one.clock.unit_s, one.clock.column)
    return plan.times_s()


def error_bpm(labels: Labels, frames: np.ndarray, plan: RecordingPlan) -> float:
    """Return how far the label of the inner part of a recording is from the known pulse; NaN where there is none."""
    if labels.heart_rate is None:
        return float("nan")
    start_s, stop_s = 1.0, DURATION_S - 1.5
    found = labels.heart_rate.mean_between(frames[0] + start_s, frames[0] + stop_s)
    return abs(found - float(plan.scene.pulse.mean_between(start_s, stop_s)))


def test_every_drawn_recording_is_listed_by_its_id(drawn: Drawn) -> None:
    assert drawn.plans.keys() <= drawn.listed.keys()
    for key, plan in drawn.plans.items():
        one = drawn.listed[key]
        assert (one.subject, one.scenario) == (plan.subject, plan.scenario)
    for key in drawn.listed.keys() - drawn.plans.keys():
        assert drawn.listed[key].skip_reason == "absent"


def test_clocks_and_labels_are_those_of_the_drawn_pulse(drawn: Drawn) -> None:
    read = 0
    for one, plan in drawn.wanted():
        check_sources(one)
        frames = frame_times_s(one, plan)
        # stamps of whole milliseconds or microseconds
        np.testing.assert_allclose(frames - frames[0], plan.times_s(), atol=6e-4)
        if "unlabeled" in plan.quirks or "short_label" in plan.quirks:
            continue
        assert error_bpm(read_labels(one, frames), frames, plan) < LIMIT_BPM, one.recording_id
        read += 1
    assert read


# ---- damage

TEXT = {".csv", ".txt", ".json", ".xmp"}


def _first_cells(data: bytes) -> bytes:
    return b"\n".join(re.sub(rb"^\s*[^\s,;]+[\s,;]?", b"", line) for line in data.splitlines()) + b"\n"


DAMAGE = {
    "empty": lambda _: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "not UTF-8": lambda data: b"caf\xe9\xff\n" + data,
    "CRLF": lambda data: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "NaN": lambda data: re.sub(rb"(?<![\w.])[0-9][0-9.e+-]*", b"nan", data),
    "unsorted": lambda data: b"\n".join(data.splitlines()[::-1]) + b"\n",
    "wrong column": _first_cells,
}


@pytest.mark.parametrize("damage", ["missing", *DAMAGE])
def test_damage_is_told_by_the_name_of_the_file_or_changes_nothing(drawn: Drawn, damage: str) -> None:
    """A damaged file gives an error that names it, a note that names it, or the right heart rate; never another number."""
    one, plan = next(drawn.wanted())
    paths = {source.path for source in one.labels if source.path} | ({one.clock.path} if one.clock.path else set())
    frames = frame_times_s(one, plan)
    for path in sorted(paths):
        if damage not in ("missing", "empty", "truncated") and path.suffix.lower() not in TEXT:
            continue
        data = path.read_bytes()
        try:
            path.unlink() if damage == "missing" else path.write_bytes(DAMAGE[damage](data))
            found = outcome(one, frames)
        finally:
            path.write_bytes(data)
        if isinstance(found, RecordingError):
            assert path.name in str(found)
            assert found.reason in ("source_missing", "clock_unreadable", "label_unreadable")
            assert damage != "CRLF", str(found)
            continue
        off_bpm = error_bpm(found, frames, plan)
        assert off_bpm < LIMIT_BPM or (np.isnan(off_bpm) and damage != "CRLF")
        if damage in ("missing", "empty"):
            assert any(path.name in note for note in found.notes)


def outcome(one: Recording, frames: np.ndarray) -> Labels | RecordingError:
    try:
        check_sources(one)
        return read_labels(one, frames)
    except RecordingError as error:
        return error


# ---- from end to end


@pytest.mark.parametrize("layout", ["ubfc-rppg", "mmpd", "bp4d-plus"])
def test_a_drawn_recording_becomes_traces_with_its_label_and_its_pulse(tmp_path: Path, layout: str) -> None:
    """Rows in a text file, frames in a MATLAB file, and images in a zip archive; the others by benchmarks/databases.py."""
    planned = plan_synthesis(tmp_path, layout, 1, seed=3, duration_s=6.0).recordings[0]
    plan = replace(planned, scene=replace(planned.scene, size_px=(200, 200)))
    load("layouts", layout).write(tmp_path, plan)
    one = next(iter(load("databases", layout).list_recordings(tmp_path)))
    result = build_recording(one, Config.from_mapping({"limits": {"min_duration_s": 3.0}}))
    row = compare_heart_rate(result)
    true_bpm = plan.metadata().true_heart_rate_bpm
    assert row.true_bpm == pytest.approx(true_bpm, abs=LIMIT_BPM)
    assert row.estimated_bpm == pytest.approx(true_bpm, abs=4.0)  # a peak of a spectrum over 6 s
    assert result.blocks.valid.mean() > 0.9
