"""Where the landmark model's weights are: never downloaded, never vendored, always checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

from stmap_pipeline.errors import ModelMissingError

FILE_NAME = "shape_predictor_68_face_landmarks.dat"
SHA256 = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"
VARIABLE = "STMAP_LANDMARKS"
# Distributions that carry the file; both import as face_recognition_models.
_PACKAGE = "face_recognition_models"
_SYSTEM = Path("/usr/share/dlib")


def find_weights(explicit: Path | None = None) -> Path:
    """Find the 68-point model's file and check that it is the right one.

    It is looked for at ``explicit``, then at the path in the variable ``STMAP_LANDMARKS``, then in the Python package
    ``face-recognition-models`` (or ``-ng``), then in ``/usr/share/dlib``.

    Raises
    ------
    ModelMissingError
        Where it is in none of these places, or the file found has another sha256.
    """
    named = explicit or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        # a path that somebody gave must not be passed over in silence
        if not named.is_file():
            raise ModelMissingError(f"{named}: no such file; correct the path or unset {VARIABLE}")
        return _checked(named)
    for path in (_package_file(), _SYSTEM / FILE_NAME):
        if path is not None and path.is_file():
            return _checked(path)
    raise ModelMissingError(
        f"the landmark model {FILE_NAME} is not installed; run `pip install face-recognition-models` "
        f"or `apt-get install libdlib-data`, or set {VARIABLE} to its path"
    )


def _package_file() -> Path | None:
    # by path: importing the package needs pkg_resources, which current setuptools no longer has
    spec = importlib.util.find_spec(_PACKAGE)
    return Path(spec.origin).parent / "models" / FILE_NAME if spec and spec.origin else None


def _checked(path: Path) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ModelMissingError(
            f"{path}: is not the 68-point model (sha256 {found[:12]}..., expected {SHA256[:12]}...); reinstall it"
        )
    return path
