"""Face backends: landmarks where they are on drawn faces, and errors where their weights are not installed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stmap_pipeline import registry
from stmap_pipeline.config import Config
from stmap_pipeline.errors import ModelMissingError
from stmap_pipeline.faces.backend import LEFT_EYE, RIGHT_EYE, detector_box, inter_ocular_px
from stmap_pipeline.faces.dlib68 import WEIGHTS as DLIB
from stmap_pipeline.faces.facemesh import WEIGHTS as MESH
from stmap_pipeline.faces.model_file import ModelFile
from stmap_pipeline.pipeline.worker import build_recording, load_backend
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.synth.scene import make_scene

BACKENDS = ("dlib68", "facemesh")


def backend(name: str):
    try:
        return load_backend(name)
    except ModelMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def scene():
    return make_scene(2, "easy", heart_rate_bpm=72.0, size_px=(400, 300))


@pytest.mark.parametrize("roll_deg", [0, -20])
@pytest.mark.parametrize("name", BACKENDS)
def test_landmarks_are_where_they_were_drawn(name, scene, roll_deg):
    model, truth = backend(name), scene.landmarks(0.0)
    turn = cv2.getRotationMatrix2D(tuple(truth.mean(axis=0)), roll_deg, 1.0)
    gray = np.ascontiguousarray(cv2.warpAffine(scene.render(0.0, 0)[..., 1], turn, (400, 300)))
    truth = truth @ turn[:, :2].T + turn[:, 2]
    found = model.landmarks(gray, detector_box(truth))
    errors = np.hypot(*(found - truth).T) / inter_ocular_px(truth)
    assert errors.mean() < 0.06
    assert errors[LEFT_EYE].mean() < 0.05
    assert errors[RIGHT_EYE].mean() < 0.05


@pytest.mark.parametrize("name", BACKENDS)
def test_landmarks_follow_the_face(name, scene):
    model, gray, truth = backend(name), np.ascontiguousarray(scene.render(0.0, 0)[..., 1]), scene.landmarks(0.0)
    before = model.landmarks(gray, detector_box(truth))
    moved = np.roll(gray, (7, -11), axis=(0, 1))
    after = model.landmarks(moved, detector_box(truth + np.array([-11.0, 7.0])))
    np.testing.assert_allclose(after - before, np.broadcast_to([-11.0, 7.0], (68, 2)), atol=1.0)


@pytest.mark.parametrize("name", BACKENDS)
def test_the_same_image_gives_the_same_landmarks(name, scene):
    gray, box = np.ascontiguousarray(scene.render(0.0, 0)[..., 1]), detector_box(scene.landmarks(0.0))
    backend(name)
    first, second = (registry.load("face_backends", name)().landmarks(gray, box) for _ in range(2))
    assert np.array_equal(first, second)


def test_blocks_see_the_same_skin_with_each_backend(face_clip):
    built = []
    for name in BACKENDS:
        backend(name)
        config = Config.from_mapping({"faces": {"backend": name}})
        built.append(build_recording(Recording("a", "folder", "a", VideoSource(face_clip)), config))
    green = [one.blocks.means[..., 1].mean(axis=1) for one in built]
    assert all(one.track.found.all() for one in built)
    assert abs(green[0].mean() - green[1].mean()) < 3
    assert np.corrcoef(*(np.diff(one) for one in green))[0, 1] > 0.8


@pytest.mark.parametrize("model", [DLIB, MESH], ids=BACKENDS)
def test_what_is_not_the_model_is_refused(model: ModelFile, tmp_path, monkeypatch):
    monkeypatch.setenv(model.variable, str(tmp_path / "nowhere"))
    with pytest.raises(ModelMissingError, match=f"no such file; correct the path or unset {model.variable}"):
        model.find()
    (tmp_path / "other").write_bytes(b"weights of something else")
    monkeypatch.setenv(model.variable, str(tmp_path / "other"))
    with pytest.raises(ModelMissingError, match="reinstall it"):
        model.find()
    monkeypatch.delenv(model.variable)
    absent = ModelFile(model.name, model.sha256, model.variable, "no_such_package", "", model.install)
    with pytest.raises(ModelMissingError, match="is not installed; run `pip install"):
        absent.find()
