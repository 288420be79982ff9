"""The Python API takes a str wherever it takes a path."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from stmap_pipeline.evaluation import evaluate_run, read_evaluation
from stmap_pipeline.evaluation.estimate import estimate_video
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.pipeline import plan_check, read_status, summarize, verify
from stmap_pipeline.records import LabelSource, VideoSource
from stmap_pipeline.shards import check_manifest, export_windows, is_augmented, read_augmentation, read_manifest, read_table
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.shards.reader import Shards

DOCS = Path(__file__).parents[1] / "docs"


def test_no_documented_function_takes_paths_alone(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import generate

    alone = []
    for package in generate.API:
        module = importlib.import_module(f"stmap_pipeline.{package}")
        for name in filter(lambda one: inspect.isfunction(getattr(module, one)), module.__all__):
            parameters = inspect.signature(getattr(module, name)).parameters.values()
            alone += [f"{package}.{name}: {one}" for one in parameters if str(one.annotation) in ("Path", "Path | None")]
    assert alone == []


def test_text_works_in_the_place_of_a_path(tmp_path):
    maps = str(example_maps(tmp_path / "maps"))
    assert check_manifest(maps, hashed=[entry.path for entry in read_manifest(maps).files]) == []
    assert verify(maps) == verify(Path(maps))
    assert (read_status(maps).state, summarize(maps).recordings) == ("finished", 3)
    assert (is_augmented(maps), read_augmentation(maps)) == (False, None)
    assert len(read_table(f"{maps}/recordings.csv")) == 3
    with Shards(maps) as shards:
        *_, last = export_windows(shards, str(tmp_path / "out"))
    assert last.written == len(list(shards.windows()))
    run, _ = example_run(tmp_path / "run", Path(maps))
    assert evaluate_run(str(run), maps).to_json() == read_evaluation(str(run)).to_json()
    (tmp_path / "clip.mp4").touch()
    assert [one.recording_id for one in plan_check("folder", str(tmp_path)).listed] == ["clip"]
    assert estimate_video(str(tmp_path / "clip.mp4")).reason == "source_unreadable"
    assert VideoSource("v.avi") == VideoSource(Path("v.avi"))  # type: ignore[arg-type]
    assert LabelSource("pulse", "p.csv", rate_hz=60.0).path == Path("p.csv")  # type: ignore[arg-type]
