"""A video that is empty, cut off, of another kind or a still image: a check, a build and an estimate name one cause, with what to do."""

import zipfile

import cv2
import pytest
from support.videos import colorful, write_video

from stmap_pipeline.config import Config
from stmap_pipeline.evaluation.estimate import estimate_video
from stmap_pipeline.pipeline import check_recording, plan_build, plan_check, run_build
from stmap_pipeline.shards import read_table

ANY = Config.from_mapping({"windows": {"length": "10 frames"}, "limits": {"max_lost_fraction": 1.0, "min_duration_s": 0.0}})
CODECS = {"mp4": "libx264", "mov": "libx264", "mkv": "libx264", "webm": "libvpx", "avi": "mpeg4"}


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def still_image(path):
    path.write_bytes(cv2.imencode(".png" if "png" in path.name else ".jpg", colorful(96, 128))[1].tobytes())


BAD = {
    "empty.mp4": (lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
    "empty.mkv": (lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
    "zeros.avi": (lambda path: path.write_bytes(bytes(9999)), "nothing but zeros"),
    "text.mp4": (lambda path: path.write_text("time,hr\n0,70\n1,71\n" * 999), "is a text file"),
    "page.mp4": (lambda path: path.write_text("<!DOCTYPE html><html><body>404</body></html>"), "is a web page"),
    "pointer.mp4": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
        "git lfs pull",
    ),
    "photo_jpg.mp4": (still_image, "is a still image (JPEG)"),
    "photo_png.avi": (still_image, "is a still image (PNG)"),
    "archive.mp4": (lambda path: zipfile.ZipFile(path, "w").writestr("a.mp4", "x"), "is a zip archive"),
    "cut_index.mp4": (lambda path: cut(video(path), 0.6), "has no index"),
    "cut_index.mov": (lambda path: cut(video(path), 0.6), "has no index"),
    "cut_header.mkv": (lambda path: cut(video(path), 0.02), "ends inside its header"),
    "cut_header.avi": (lambda path: cut(video(path), 0.01), "ends inside its header"),
}


def video(path, **more):
    return write_video(path, (colorful(96, 128, seed) for seed in range(30)), codec=CODECS[path.suffix[1:]], **more)


@pytest.mark.parametrize("name", BAD)
def test_a_check_a_build_and_an_estimate_name_the_cause(name, tmp_path):
    make, cause = BAD[name]
    source = tmp_path / "own"
    source.mkdir()
    make(source / name)
    plan = plan_check("folder", source)
    [found] = [one for one in check_recording(plan.todo[0], plan) if one.code != "too_short"]
    [built] = run_build(plan_build("folder", source, tmp_path / "maps", ANY), 0)
    estimate = estimate_video(source / name)
    assert cause in found.message
    assert (found.code, built.reason, estimate.reason) == ("source_unreadable",) * 3
    assert found.message in built.message
    assert found.message in estimate.message


@pytest.mark.parametrize("name", ["moov_first.mp4", "cut.mkv", "cut.webm", "cut.avi"])
def test_a_video_that_ends_early_is_built_with_a_note(name, tmp_path):
    source = tmp_path / "own"
    source.mkdir()
    options = {"container_options": {"movflags": "faststart"}} if name.endswith("mp4") else {}
    video(source / name, **options)
    whole = plan_check("folder", source, ANY)
    assert "cut_off" not in {one.code for one in check_recording(whole.todo[0], whole)}
    cut(source / name, 0.8)
    plan = plan_check("folder", source, ANY)
    [found] = [one for one in check_recording(plan.todo[0], plan) if one.code == "cut_off"]
    out = tmp_path / "maps"
    list(run_build(plan_build("folder", source, out, ANY), 0))
    [built] = read_table(out / "recordings.csv")
    cause = found.message.partition(": ")[2]
    assert built["cut_off"] == 1
    assert f"the video {cause}" in built["notes"]
    assert f"the video {cause}" in estimate_video(source / name, config=ANY).notes
