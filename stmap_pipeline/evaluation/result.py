"""The result of an evaluation: what was compared with what, and the six numbers of each method, for all videos and for parts of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation.bootstrap import CONFIDENCE, RESAMPLES, Score
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.version import __version__

FORMAT = "stmap-evaluation"
SCHEMA_VERSION = 1
EVALUATION = "evaluation.json"
# ten thousand scores have 10 MB
_MAX_JSON = 2**27

Of = Literal["videos", "windows"]
Group = Literal["all", "band", "scenario", "camera", "fold"]
Unit = Literal["subject", "video"]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """The numbers of one method on one part of the data.

    Parameters
    ----------
    of : {"videos", "windows"}
        What a pair of truth and estimate is.
    method : str
        ``network``, ``constant``, ``green``, ``chrom`` or ``pos``.
    group : {"all", "band", "scenario", "camera", "fold"}
        How the data were divided; ``band`` is by true heart rate.
    name : str
        Which part; empty for all.
    score : Score
    """

    of: Of
    method: str
    group: Group
    name: str
    score: Score


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How the intervals were drawn.

    Parameters
    ----------
    unit : {"subject", "video"}
        What was drawn with replacement.
    resamples : int
    confidence : float
    seed : int

    Examples
    --------
    >>> Bootstrap().unit
    'subject'
    """

    unit: Unit = "subject"
    resamples: int = RESAMPLES
    confidence: float = CONFIDENCE
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The run that was evaluated.

    Parameters
    ----------
    name, network, protocol, augment, target : str
    seed : int
    finished : bool
        Whether all of its folds are trained.
    database : str
        That it was trained on; ``simulated`` where no camera was involved.
    simulated : bool
    """

    name: str
    network: str
    protocol: str
    augment: str
    target: str
    seed: int
    finished: bool
    database: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class MapsSummary:
    """The maps that it was evaluated on.

    Parameters
    ----------
    name : str
        Of the folder.
    database, fingerprint : str
    traces_sha256 : str
        Of all that was recorded: an augmentation does not change it.
    """

    name: str
    database: str
    fingerprint: str
    traces_sha256: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that came of an evaluation.

    Parameters
    ----------
    run : RunSummary
    maps : MapsSummary
    simulated : bool
        Whether the videos that it was evaluated on never were in front of a camera. Such numbers never stand beside
        published ones without the word.
    held_out : bool
        Whether each video was predicted by a network that was trained on other persons of the same maps; otherwise the maps
        are others than those of the training.
    folds : tuple of int
        Folds that were evaluated; 0 is a network without a fold.
    videos, unlabeled_videos, windows : int
        What was predicted; videos without a label are in ``videos.csv`` and in no score.
    constant_bpm : dict of str to float
        Mean heart rate of the training videos, by fold.
    bootstrap : Bootstrap
    notes : tuple of str
        What a reader must know.
    rows : tuple of ScoreRow
    """

    run: RunSummary
    maps: MapsSummary
    simulated: bool
    held_out: bool
    folds: tuple[int, ...]
    videos: int
    unlabeled_videos: int
    windows: int
    constant_bpm: dict[str, float]
    bootstrap: Bootstrap
    notes: tuple[str, ...]
    rows: tuple[ScoreRow, ...]

    @property
    def methods(self) -> list[str]:
        """Methods that have scores, the network first."""
        return list(dict.fromkeys(one.method for one in self.rows))

    def names(self, group: Group) -> list[str]:
        """Parts that the data were divided into."""
        return list(dict.fromkeys(one.name for one in self.rows if one.group == group and one.of == "videos"))

    def score(self, method: str, group: Group = "all", name: str = "", of: Of = "videos") -> Score:
        """Find the numbers of a method.

        Raises
        ------
        KeyError
            Where there are none.
        """
        for one in self.rows:
            if (one.method, one.group, one.name, one.of) == (method, group, name, of):
                return one.score
        raise KeyError(f"no score of {method} for the {of} of {group} {name}".rstrip())

    def to_json(self) -> str:
        """Write as JSON; what is unknown is null."""
        head = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "software": f"stmap {__version__}"}
        return json.dumps({**head, **without_nan(asdict(self))}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write ``evaluation.json``, atomically.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    atomic_write_text(folder / EVALUATION, evaluation.to_json())


def read_evaluation(folder: Path) -> Evaluation:
    """Read ``evaluation.json`` of a run, or of its evaluation on other maps.

    Raises
    ------
    ModelError
        Where it is not there, or is not what an evaluation writes.

    Examples
    --------
    >>> read_evaluation(Path("nowhere"))
    Traceback (most recent call last):
    ...
    stmap_pipeline.errors.ModelError: nowhere/evaluation.json: is not there; run stmap evaluate first
    """
    path = folder / EVALUATION
    try:
        if path.stat().st_size > _MAX_JSON:
            raise ValueError(f"it has more than {_MAX_JSON:,} bytes")
        content: Any = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        if content.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"its version is {content.get('schema_version')!r}, not {SCHEMA_VERSION}")
        return _READER.validate_python(_with(content, lambda one: nan if one is None else one))
    except FileNotFoundError:
        raise ModelError(f"{path}: is not there; run stmap evaluate first") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        raise ModelError(f"{path}: was not written by this stmap, or was changed ({wrong}); run stmap evaluate again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is no evaluation ({error}); run stmap evaluate again") from None


_READER = TypeAdapter(Evaluation)


def without_nan(content: Any) -> Any:
    """Put None in the place of each float that JSON cannot hold.

    Examples
    --------
    >>> without_nan({"r": float("nan"), "n": (1, 2.5)})
    {'r': None, 'n': [1, 2.5]}
    """
    return _with(content, lambda one: None if isinstance(one, float) and not isfinite(one) else one)


def _with(content: Any, change: Callable[[Any], Any]) -> Any:
    """Change each leaf."""
    if isinstance(content, dict):
        return {key: _with(one, change) for key, one in content.items()}
    if isinstance(content, list | tuple):
        return [_with(one, change) for one in content]
    return change(content)
