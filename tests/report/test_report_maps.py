"""The report of a build: what it says of normal, empty and hostile ones, and what it writes where."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.maps import add_augmentation, content, simulated_result, small_maps
from support.pages import Page

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ExtraMissingError, OutputError, ShardError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import HeartRateTrace, LandmarkTrack
from stmap_pipeline.report.maps_report import WORTH_A_PROCESS, write_maps_report
from stmap_pipeline.report.page import LIBRARY_FILE
from stmap_pipeline.report.quality import measure_quality, motion
from stmap_pipeline.shards import Shards, check_manifest, read_table
from stmap_pipeline.shards.example import EXAMPLE_CONFIG, example_maps

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")


def written(maps, path, kind="html", **options):
    *_, last = write_maps_report(maps, path, kind, **options)
    assert last.path == path
    return path


def without_scripts(path):
    return re.sub(r"<(style|script)\b[^>]*>.*?</\1>", "", path.read_text("utf-8"), flags=re.DOTALL)


def text_of(path):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without_scripts(path))).split())


def test_outcomes_heart_rates_quality_recordings_methods_and_provenance_are_told(tmp_path):
    maps = example_maps(tmp_path / "maps")
    text = text_of(written(maps, tmp_path / "report.html", command="stmap report maps"))
    manifest = Shards(maps).manifest
    for words in (
        "recordings built, of 4 listed 3",
        "no face in 94 % of frames (limit 50 %)",
        "grid of 2 x 2 blocks",
        "Windows of 60 frames with a step of 1 s",
        "p001_v2",
        "label 96.0",
        manifest.fingerprint,
        "command of this report stmap report maps",
        "@article{wang2017pos",
    ):
        assert words in text
    assert "simulated" not in text.lower()


def sixteen(root):
    """As many recordings as two processes are started for."""
    return example_maps(root, [example_result(f"p{i:03d}_v1", subject=f"p{i:03d}", frames=60) for i in range(2 * WORTH_A_PROCESS)])


def test_it_is_the_same_for_any_number_of_workers_and_leaves_the_build_alone(tmp_path):
    maps = sixteen(tmp_path / "maps")
    before = content(maps)
    one, two = (written(maps, tmp_path / name / "report.html", jobs=jobs) for name, jobs in (("one", 1), ("two", 2)))
    assert one.read_bytes() == two.read_bytes()
    assert content(maps) == before
    assert check_manifest(maps) == []


def test_no_face_is_drawn_unless_asked_for(tmp_path):
    maps = example_maps(tmp_path / "maps")
    assert "Mean shape" not in written(maps, tmp_path / "a.html").read_text()
    assert written(maps, tmp_path / "b.html", show_faces=True).read_text().count("Mean shape of the landmarks") == 2 * 3


def test_simulated_data_is_called_so_at_the_top_and_once_at_each_figure_and_table(tmp_path):
    maps = example_maps(tmp_path / "maps")
    manifest = json.loads((maps / "manifest.json").read_text())
    manifest["settings"]["database"] = "synthetic"
    (maps / "manifest.json").write_text(json.dumps(manifest))
    page = without_scripts(written(maps, tmp_path / "report.html", inline=0))
    # and at the heading above the large numbers
    assert page.count('<span class="badge">simulated</span>') == sum(page.count(one) for one in ("<figure", "<caption", "<h1")) + 1
    assert page.count("Simulated data.") == 1
    detail = without_scripts(tmp_path / "report_files/p001_v1.html")
    assert detail.count("simulated</span>") == detail.count("<figure") + 1
    assert "(simulated)" in written(maps, tmp_path / "a.tex", "latex").read_text()
    assert json.loads(written(maps, tmp_path / "a.json", "json").read_text())["about"]["simulated"] is True


def test_the_heading_is_the_name_of_the_study(tmp_path):
    maps = example_maps(tmp_path / "sleep & study")
    for options, heading in (({}, "Maps of example: sleep &amp; study"), ({"title": "Night <1>"}, "Night &lt;1&gt;")):
        page = written(maps, tmp_path / "report.html", **options).read_text()
        assert f"<title>{heading}</title>" in page
        assert f"<h1>{heading}</h1>" in page


def test_notes_and_label_problems_are_listed_once_with_their_recordings_and_in_each_recording(tmp_path):
    results = []
    for number in range(3):
        one = example_result(f"p{number}_v1", subject=f"p{number}", frames=300)
        results.append(replace(one, notes=("lamp", f"{number + 2} frames repaired") if number < 2 else ()))
    ends = results[1].heart_rate
    results[1] = replace(results[1], heart_rate=HeartRateTrace(ends.times_s[:4], ends.heart_rate_bpm[:4]))
    maps = example_maps(tmp_path / "maps", results)
    without = [one.recording_id for one in Shards(maps).windows() if one.label_problem == "label_ends"]
    assert len(set(without)) == 1
    path = written(maps, tmp_path / "report.html")
    page, text = Page(path.read_text("utf-8")), text_of(path)
    assert page.row("label_problems", "label_ends")[1:3] == [str(len(without)), "1"]
    assert "lamp (2 recordings) p0_v1 , p1_v1" in text
    # numbers alone make no other note
    assert text.count("2 to 3 frames repaired (2 recordings)") == 1
    # under its own heading each recording has its own number
    assert text.count("3 frames repaired") == 2
    assert f"{len(without)} of 9 windows have no heart rate: label_ends" in text
    counts = {row[0]: row[page.tables["recordings"][0].index("notes")] for row in page.tables["recordings"][1:]}
    assert counts == {"p0_v1": "2", "p1_v1": "3", "p2_v1": "0"}


def test_the_methods_of_simulated_traces_claim_no_face(tmp_path):
    maps = example_maps(tmp_path / "maps")
    told = {"SourceDatasets": [{"Key": "synthetic-traces", "Name": "traces"}], "Simulation": {"seed": 3}}
    (maps / "dataset_description.json").write_text(json.dumps(told))
    text = text_of(written(maps, tmp_path / "report.html"))
    assert "The maps are simulated (traces)" in text
    assert "seed 3" in text
    assert "Faces were found" not in text


@pytest.mark.parametrize(
    "told", ["", "[]", '{"SourceDatasets": {}}', '{"SourceDatasets": [3]}', '{"SourceDatasets": [{"Name": 3}]}']
)
def test_a_description_of_another_form_does_no_harm(tmp_path, told):
    maps = example_maps(tmp_path / "maps", [])
    (maps / "dataset_description.json").write_text(told)
    assert "Maps of example" in text_of(written(maps, tmp_path / "report.html"))


def test_drawn_videos_built_as_another_database_are_called_simulated_where_a_user_says_so(tmp_path):
    page = written(example_maps(tmp_path / "maps"), tmp_path / "report.html", simulated=True).read_text()
    assert "Simulated data." in page
    assert page.count('class="badge">simulated') > page.count("<figure")


def test_windows_before_and_after_balancing(tmp_path):
    maps = small_maps(tmp_path / "maps", frames=360)
    assert "Balancing (stmap augment) adds" in text_of(written(maps, tmp_path / "a.html"))
    added = sum(one.augmented for one in Shards(add_augmentation(maps)).windows(augmented=True))
    assert added
    text = text_of(written(maps, tmp_path / "b.html"))
    assert f"windows added by resampling {added}" in text
    assert f"{added} windows resampled in time were added to" in text
    rates = read_table(written(maps, tmp_path / "tables", "csv") / "heart_rates.csv")
    assert sum(row["windows_added"] for row in rates) == added
    assert sum(row["windows_recorded"] for row in rates) == len(Shards(maps).windows(labeled=True))


def test_a_plan_of_another_form_is_an_error_that_names_it(tmp_path):
    maps = add_augmentation(small_maps(tmp_path / "maps", frames=360))
    path = maps / "augmentation/plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"bins": [1, 2]}))
    with pytest.raises(ShardError, match=r"plan\.json"):
        list(write_maps_report(maps, tmp_path / "report.html"))


def test_a_build_without_any_recording_says_so(tmp_path):
    text = text_of(written(example_maps(tmp_path / "maps", []), tmp_path / "report.html", jobs=2))
    assert "No recording was built" in text
    assert "There is no window" in text
    assert "No recording has a value" in text


def test_recordings_shorter_than_a_window_say_so(tmp_path):
    maps = example_maps(tmp_path / "maps", [example_result(frames=120)], Config())
    assert "There is no window" in text_of(written(maps, tmp_path / "report.html"))


def test_without_labels_it_says_so_and_makes_up_none(tmp_path):
    one = replace(example_result(frames=300), heart_rate=None, pulse=None)
    maps = example_maps(tmp_path / "maps", [one], EXAMPLE_CONFIG)
    text = text_of(written(maps, tmp_path / "report.html"))
    assert "No window has a heart rate" in text
    assert "no heart rate is known, POS 72.0 bpm" in text
    (row,) = read_table(written(maps, tmp_path / "t", "csv") / "recordings.csv")
    assert np.isnan(row["true_bpm"])
    assert np.isnan(row["error_bpm"])


def test_a_recording_in_which_no_face_was_ever_known_has_a_section(tmp_path):
    maps = example_maps(tmp_path / "maps", [example_result(frames=300, lost=slice(0, 300))])
    text = text_of(written(maps, tmp_path / "report.html", show_faces=True))
    assert "POS finds no pulse; face known in 0 % of 300 frames" in text
    assert "No face was known." in text


def test_one_frame_alone_has_a_section(tmp_path):
    maps = example_maps(tmp_path / "maps", [example_result(frames=1)])
    assert "face known in 100 % of 1 frames" in text_of(written(maps, tmp_path / "report.html"))


def test_the_worst_stands_first_and_the_unknown_before_it(tmp_path):
    results = [
        simulated_result(72, 12, "a_strong", amplitude=0.01, noise=0.05),
        simulated_result(72, 12, "b_weak", amplitude=0.0005, noise=0.3),
        example_result("c_unseen", frames=300, lost=slice(0, 300)),
    ]
    results = [
        replace(one, recording=replace(one.recording, video=example_result().recording.video), attributes={}) for one in results
    ]
    rows = read_table(written(example_maps(tmp_path / "maps", results), tmp_path / "t", "csv") / "recordings.csv")
    assert [row["recording_id"] for row in rows] == ["c_unseen", "b_weak", "a_strong"]


def test_many_recordings_go_to_files_beside_it_and_those_of_an_earlier_report_go(tmp_path):
    maps, path = example_maps(tmp_path / "maps"), tmp_path / "report.html"
    folder = tmp_path / "report_files"
    written(maps, path, inline=2)
    names = {"p001_v1.html", "p001_v2.html", "p002_v1.html", LIBRARY_FILE}
    assert {one.name for one in folder.iterdir()} == names
    (folder / "thesis.html").write_text("years of work")
    shutil.copy(folder / "p001_v1.html", folder / "p099_v9.html")
    written(maps, path, inline=2)
    assert {one.name for one in folder.iterdir()} == {*names, "thesis.html"}
    written(maps, path)
    assert {one.name for one in folder.iterdir()} == {"thesis.html"}


def test_of_the_build_no_file_is_written_but_its_report(tmp_path):
    maps = example_maps(tmp_path / "maps")
    before = content(maps)
    for place in (maps / "shards/report.html", maps, tmp_path / "other/../maps/manifest.json"):
        with pytest.raises(OutputError, match=f"{maps}, .*elsewhere"):
            list(write_maps_report(maps, place))
    assert content(maps) == before
    written(maps, maps / "report.html")
    assert check_manifest(maps) == []


def test_what_is_no_finished_build_is_refused(tmp_path):
    with pytest.raises(ShardError, match=r"manifest\.json"):
        list(write_maps_report(tmp_path, tmp_path.parent / "report.html"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_damaged_shard_is_named_and_an_earlier_page_stays(tmp_path, jobs):
    maps, path = sixteen(tmp_path / "maps"), tmp_path / "report.html"
    path.write_text("earlier")
    shard = min((maps / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(ShardError, match=r"p000_v1\.h5"):
        list(write_maps_report(maps, path, jobs=jobs))
    assert path.read_text() == "earlier"


@pytest.mark.parametrize("missing", ["jinja2", "plotly"])
def test_without_a_library_of_the_extra_it_says_what_to_install_before_any_work(tmp_path, missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from stmap_pipeline.report import write_maps_report\n"
        f"print(next(write_maps_report({str(example_maps(tmp_path / 'maps'))!r}, {str(tmp_path / 'r.html')!r})))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert 'pip install "stmap[plot]"' in run.stderr
    assert ExtraMissingError.__name__ in run.stderr
    assert run.stdout == ""


def test_importing_the_report_imports_no_library_of_the_extra():
    code = "import sys, stmap_pipeline.report; sys.exit(bool({'jinja2', 'matplotlib', 'plotly'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def moved(way_px, rate_hz=30.0, frames=90, size_px=50.0):
    """A track whose face moves evenly to the right, so many pixels in a second."""
    points = np.zeros((frames, 68, 2))
    points[:, 45, 0] = size_px
    points[:, :, 0] += way_px * np.arange(frames)[:, None] / rate_hz
    return LandmarkTrack(np.arange(frames) / rate_hz, points.astype(np.float32), np.ones(frames, np.float32))


@pytest.mark.parametrize("rate_hz", [15.0, 30.0, 60.0])
def test_motion_is_that_of_the_face_whatever_the_frame_rate_and_the_size(rate_hz):
    assert motion(moved(20.0, rate_hz))[20:-20] == pytest.approx(0.4, abs=1e-4)
    assert motion(moved(40.0, rate_hz, size_px=100))[20:-20] == pytest.approx(0.4, abs=1e-4)


def test_gaps_jitter_and_clipping_are_what_was_put_in():
    one = example_result(frames=300, lost=slice(60, 150))
    quality = measure_quality(one)
    assert (quality.gaps, quality.longest_gap_s) == (1, pytest.approx(3.0))
    assert quality.jitter_percent == pytest.approx(0, abs=1e-9)
    assert quality.clipped_fraction == 0
    blocks = one.blocks
    bright = blocks.means.copy()
    bright[:60, 0, 2] = 254
    known = np.isfinite(blocks.means).all(axis=2).sum()
    clipped = measure_quality(replace(one, blocks=replace(blocks, means=bright)))
    assert clipped.clipped_fraction == pytest.approx(60 / known)
    late = np.arange(300) / 30 + 0.01 * (np.arange(300) % 2)
    uneven = measure_quality(replace(one, blocks=replace(blocks, times_s=late)))
    steps = np.diff(late)
    assert uneven.jitter_percent == pytest.approx(100 * steps.std() / steps.mean())


def test_a_recording_whose_times_leap_costs_its_own_figures_alone(tmp_path):
    one = example_result("p001_v1", subject="p001", frames=60)
    times_s = np.append(one.blocks.times_s[:-1], 2e6)
    leaping = replace(one, blocks=replace(one.blocks, times_s=times_s), track=replace(one.track, times_s=times_s))
    maps = example_maps(tmp_path / "maps", [leaping, example_result("p002_v1", subject="p002", frames=60)])
    assert "its 60 frames span" in text_of(written(maps, tmp_path / "report.html"))
    rows = {row["recording_id"]: row for row in read_table(written(maps, tmp_path / "t", "csv") / "recordings.csv")}
    assert np.isnan(rows["p001_v1"]["coverage"])
    assert rows["p002_v1"]["coverage"] == 1.0


@pytest.mark.parametrize("harm", [lambda path: os.mkfifo(path), lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_a_description_that_is_no_file_is_not_waited_for(tmp_path, harm):
    maps = example_maps(tmp_path / "maps")
    (maps / "dataset_description.json").unlink(missing_ok=True)
    harm(maps / "dataset_description.json")
    assert "example" in text_of(written(maps, tmp_path / "r.html"))
