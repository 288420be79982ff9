"""Plan of one drawn recording: scene, camera, codec and quirks; and the metadata that is stored of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.face import SKIN_TONES
from stmap_pipeline.synth.scene import Scene, Setting, make_scene

QUIRKS: dict[str, str] = {
    "container_25": "the container claims 25 frames/s, whatever the frame times are",
    "slow_16": "about 16 frames/s, as in dim light",
    "no_time_file": "no file of frame times; the rate is 30 frames/s",
    "second_take": "a second take of the same scenario",
    "hr_255": "a sensor fault: some heart rates are 255",
    "no_wave": "the file of the pulse wave is missing",
    "short_label": "the labels end before the video does",
    "long_label": "the labels continue after the video",
    "nir": "near infrared: a gray image",
    "unpadded_names": "image names without leading zeros, so that text order is not time order",
    "no_pressure": "the file of blood pressure is missing",
    "pts_jitter": "frame times vary and are stored in the container",
    "unlabeled": "no label",
}
"""Quirk -> how the recording deviates from a plain one, as recordings of real databases do."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Frame times of a camera.

    Parameters
    ----------
    rate_hz : float
    jitter : float
        Standard deviation of an interval, relative to its mean.
    whole_ms : bool
        Whether times are rounded to milliseconds, as they are written.
    """

    rate_hz: float = 30.0
    jitter: float = 0.0
    whole_ms: bool = False

    def times_s(self, seed: int, duration_s: float) -> npt.NDArray[np.float64]:
        """Draw the time of each frame, from 0, increasing.

        Examples
        --------
        >>> Camera(25.0, jitter=0.1, whole_ms=True).times_s(1, 0.2).tolist()
        [0.0, 0.035, 0.079, 0.114, 0.155]
        """
        frames = max(2, round(duration_s * self.rate_hz))
        steps = np.random.default_rng([seed, 25]).standard_normal(frames - 1)
        # never below half an interval, so that frames stay in order
        steps = np.maximum(1 + self.jitter * steps, 0.5) / self.rate_hz
        times = np.concatenate([[0.0], np.cumsum(steps)])
        return np.rint(times * 1000) / 1000 if self.whole_ms else times


@dataclass(frozen=True, slots=True)
class SyntheticRecording:
    """Metadata of a drawn recording, as in ``synthetic.json``.

    Parameters
    ----------
    recording_id, subject, scenario : str
    true_heart_rate_bpm : float
        Mean over the video.
    setting : str
    skin_tone : str
    frames : int
    quirks : tuple of str
    resumed : bool
        Whether an earlier run wrote it.
    """

    recording_id: str
    subject: str
    scenario: str
    true_heart_rate_bpm: float
    setting: str
    skin_tone: str
    frames: int
    quirks: tuple[str, ...] = ()
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """One recording that is to be written. Holds numbers only, so a worker process can receive it.

    Parameters
    ----------
    recording_id, subject, scenario : str
        As the layout's adapter will name them.
    path : str
        Video or folder under the root. It is created last, so that what exists is complete.
    setting : {"easy", "hard"}
    scene : Scene
    camera : Camera
    seed : int
        Of the frame times.
    duration_s : float
        The last frame is close to it.
    codec : str
        A key of :data:`~stmap_pipeline.synth.encode.CODECS`, or ``jpg``.
    quirks : tuple of str
        Keys of :data:`QUIRKS`.
    """

    recording_id: str
    subject: str
    scenario: str
    path: str
    setting: Setting
    scene: Scene
    camera: Camera
    seed: int
    duration_s: float
    codec: str
    quirks: tuple[str, ...] = ()

    def times_s(self) -> npt.NDArray[np.float64]:
        """Draw the time of each frame."""
        return self.camera.times_s(self.seed, self.duration_s)

    def frames(self) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
        """Yield time and image of each frame, one at a time."""
        for index, time_s in enumerate(self.times_s().tolist()):
            image = self.scene.render(time_s, index)
            yield time_s, _infrared(image) if "nir" in self.quirks else image

    def label_s(self) -> float:
        """Compute how long the label devices recorded."""
        video_s = float(self.times_s()[-1])
        if "short_label" in self.quirks:
            return 0.6 * video_s
        return video_s + (9.0 if "long_label" in self.quirks else 0.0)

    def metadata(self) -> SyntheticRecording:
        """Compute what will be stored of the recording, its true heart rate included."""
        times = self.times_s()
        return SyntheticRecording(
            self.recording_id,
            self.subject,
            self.scenario,
            round(float(self.scene.pulse.mean_between(0.0, float(times[-1]))), 3),
            self.setting,
            self.scene.skin_tone,
            len(times),
            self.quirks,
        )


def draw_scene(
    seed: int, setting: str, index: int, recordings: int, subject: int, size_px: tuple[int, int]
) -> tuple[Setting, Scene]:
    """Draw person, setting and heart rate of one recording of a database.

    Heart rates are spread evenly from 48 to 130 bpm over the recordings, in random order; subjects take turns in skin tone.

    Parameters
    ----------
    seed : int
    setting : {"easy", "hard", "mixed"}
        ``mixed``: the recordings alternate.
    index : int
        Number of the recording: it decides everything but the person.
    recordings : int
        How many there are.
    subject : int
        Number of the person.
    size_px : (int, int)
    """
    order = np.random.default_rng([seed, 48]).permutation(recordings)
    tones = list(SKIN_TONES)
    own: Setting = "hard" if setting == "hard" or (setting == "mixed" and index % 2) else "easy"
    scene = make_scene(
        100_000 * seed + index,
        own,
        heart_rate_bpm=float(np.linspace(48.0, 130.0, max(recordings, 2))[order[index]]),
        skin_tone=tones[(subject + seed) % len(tones)],
        identity_seed=1000 * seed + subject,
        size_px=size_px,
    )
    return own, scene


def _infrared(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Convert an image to what a near-infrared camera might see: one brightness, mostly of red."""
    level = image @ np.array([0.6, 0.3, 0.1])
    return np.repeat(np.rint(level).astype(np.uint8)[..., None], 3, axis=2)
