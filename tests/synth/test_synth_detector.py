"""The detector and the landmark model of real faces find the drawn ones, in the luma of decoded video."""

import av
import numpy as np
import pytest

from stmap_pipeline.synth.encode import CODECS, write_video
from stmap_pipeline.synth.scene import make_scene
from stmap_pipeline.synth.shape import SKIN_TONES

dlib = pytest.importorskip("dlib")

SIZE = (320, 324)
# moments seconds apart: neighbouring frames would say the same thing again
TIMES_S = np.arange(12) * 1.37


@pytest.fixture(scope="module")
def predictor():
    from stmap_pipeline.faces.weights import find_weights

    return dlib.shape_predictor(str(find_weights()))


def decoded_luma(path, scene, codec):
    write_video(path, ((t, scene.render(t, i)) for i, t in enumerate(TIMES_S)), CODECS[codec], scene.size_px, 25.0)
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[: frame.height, : frame.width].copy() for frame in container.decode(video=0)]


@pytest.mark.parametrize("setting", ["easy", "hard"])
@pytest.mark.parametrize("tone", SKIN_TONES)
def test_every_face_is_found_and_its_landmarks_are_near(tmp_path, predictor, tone, setting):
    seed = 40 + list(SKIN_TONES).index(tone)
    scene = make_scene(seed, setting, skin_tone=tone, size_px=SIZE)
    detector = dlib.get_frontal_face_detector()
    frames = decoded_luma(tmp_path / "video", scene, "mjpeg-avi" if setting == "easy" else "mpeg4-avi")
    errors = []
    for time_s, gray in zip(TIMES_S, frames, strict=True):
        boxes = detector(gray, 0)
        assert len(boxes) == 1, f"{len(boxes)} faces at {time_s} s"
        shape, truth = predictor(gray, boxes[0]), scene.landmarks(time_s)
        points = np.array([(shape.part(k).x, shape.part(k).y) for k in range(68)])
        errors.append(np.hypot(*(points - truth).T).mean() / np.hypot(*(truth[45] - truth[36])))
    # share of the distance between the outer eye corners
    assert np.mean(errors) < 0.05
    assert np.max(errors) < 0.12
