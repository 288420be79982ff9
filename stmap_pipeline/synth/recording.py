"""What is planned for one synthetic recording, and what is told of it when it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.scene import Scene, Setting, make_scene
from stmap_pipeline.synth.shape import SKIN_TONES

# quirk -> what is odd about the recording, as real databases are
QUIRKS: dict[str, str] = {
    "container_25": "the container says 25 frames/s, the times are another matter",
    "slow_16": "about 16 frames/s, as in dim light",
    "no_time_file": "no file of frame times; the rate is 30 frames/s",
    "second_take": "a second take of the same scenario",
    "hr_255": "a sensor fault: some heart rates are 255",
    "no_wave": "the file of the pulse wave is missing",
    "short_label": "the labels end before the video does",
    "long_label": "the labels go on after the video",
    "nir": "near infrared: a gray picture",
    "unpadded_names": "picture names without leading zeros, so that text order is not time order",
    "no_pressure": "the file of blood pressure is missing",
    "pts_jitter": "frame times vary and stand in the container",
    "unlabeled": "no label",
}


@dataclass(frozen=True, slots=True)
class Camera:
    """How often a camera takes a picture.

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
        """Give the time of each frame, from 0, increasing.

        Examples
        --------
        >>> Camera(25.0, jitter=0.1, whole_ms=True).times_s(1, 0.2).tolist()
        [0.0, 0.035, 0.079, 0.114, 0.155]
        """
        frames = max(2, round(duration_s * self.rate_hz))
        steps = np.random.default_rng([seed, 25]).standard_normal(frames - 1)
        # never below half an interval: frames come in order
        steps = np.maximum(1 + self.jitter * steps, 0.5) / self.rate_hz
        times = np.concatenate([[0.0], np.cumsum(steps)])
        return np.rint(times * 1000) / 1000 if self.whole_ms else times


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """One recording that is to be written. Holds numbers only, so a worker process can take it.

    Parameters
    ----------
    recording_id, subject, scenario : str
        As the layout's adapter will name them.
    place : str
        Path under the root; it comes into being last, so what is there is whole.
    setting : {"easy", "hard"}
    scene : Scene
    camera : Camera
    seed : int
        Of the frame times.
    duration_s : float
        Asked for; the last frame is close to it.
    codec : str
        A key of :data:`~stmap_pipeline.synth.encode.CODECS`, or ``jpg``.
    quirks : tuple of str
        Keys of :data:`QUIRKS`.
    """

    recording_id: str
    subject: str
    scenario: str
    place: str
    setting: Setting
    scene: Scene
    camera: Camera
    seed: int
    duration_s: float
    codec: str
    quirks: tuple[str, ...] = ()

    def times_s(self) -> npt.NDArray[np.float64]:
        """Give the time of each frame."""
        return self.camera.times_s(self.seed, self.duration_s)

    def frames(self) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
        """Give time and picture of each frame, one at a time."""
        for index, time_s in enumerate(self.times_s().tolist()):
            picture = self.scene.render(time_s, index)
            yield time_s, _gray(picture) if "nir" in self.quirks else picture

    def label_s(self) -> float:
        """Give how long the label devices ran."""
        video_s = float(self.times_s()[-1])
        if "short_label" in self.quirks:
            return 0.6 * video_s
        return video_s + (9.0 if "long_label" in self.quirks else 0.0)

    def facts(self) -> SyntheticRecording:
        """Give what is known of the recording before it is written: all of it."""
        times = self.times_s()
        return SyntheticRecording(
            self.recording_id,
            self.subject,
            self.scenario,
            round(self.scene.pulse.mean_over(0.0, float(times[-1])), 3),
            self.setting,
            self.scene.skin_tone,
            len(times),
            self.quirks,
        )


@dataclass(frozen=True, slots=True)
class SyntheticRecording:
    """A finished synthetic recording and the truth about it, as in ``synthetic.json``.

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


@dataclass(slots=True)
class Casting:
    """Hands out persons, settings and heart rates, the same for the same seed and number of recordings.

    Heart rates are spread evenly from 48 to 130 bpm over the recordings, in random order.

    Parameters
    ----------
    seed : int
    setting : {"easy", "hard", "mixed"}
        ``mixed``: the recordings take turns.
    duration_s : float
    recordings : int
        Number of recordings that differ.
    """

    seed: int
    setting: str
    duration_s: float
    recordings: int

    def scene(self, index: int, subject: int, size_px: tuple[int, int]) -> tuple[Setting, Scene]:
        """Give setting and scene of a recording.

        Parameters
        ----------
        index : int
            Number of the recording: it decides everything but the person. The same number is the same moment, seen again.
        subject : int
            Number of the person.
        size_px : (int, int)
        """
        order = np.random.default_rng([self.seed, 48]).permutation(self.recordings)
        bpm = float(np.linspace(48.0, 130.0, max(self.recordings, 2))[order[index]])
        tones = list(SKIN_TONES)
        setting: Setting = "hard" if self.setting == "hard" or (self.setting == "mixed" and index % 2) else "easy"
        scene = make_scene(
            100_000 * self.seed + index,
            setting,
            heart_rate_bpm=bpm,
            # one subject after the other goes through all tones
            skin_tone=tones[(subject + self.seed) % len(tones)],
            identity_seed=1000 * self.seed + subject,
            size_px=size_px,
        )
        return setting, scene


def _gray(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Give a picture as a near-infrared camera might: one brightness, led by red."""
    level = picture @ np.array([0.6, 0.3, 0.1])
    return np.repeat(np.rint(level).astype(np.uint8)[..., None], 3, axis=2)
