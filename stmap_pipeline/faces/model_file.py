"""Find the files of landmark models: neither downloaded nor shipped here, and verified by their hash."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.errors import ModelMissingError
from stmap_pipeline.files import sha256


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of weights and where it may lie.

    Parameters
    ----------
    name : str
        Name of the file.
    sha256 : str
        Hash of its content, in hex.
    variable : str
        Environment variable that may name its path.
    package, folder : str
        Installed package that carries the file, and the folder in it.
    install : str
        How to get it, for the message where it is missing.
    others : tuple of Path
        Folders in which to look after the package.
    """

    name: str
    sha256: str
    variable: str
    package: str
    folder: str
    install: str
    others: tuple[Path, ...] = ()

    def find(self, explicit: Path | None = None) -> Path:
        """Return the path of the file, whose hash is verified.

        It is looked for at ``explicit``, at the path in the variable, in the package, and in the other folders.

        Raises
        ------
        ModelMissingError
            Where it is in none of these places, or the file found has another hash.
        """
        named = explicit or (Path(os.environ[self.variable]) if os.environ.get(self.variable) else None)
        if named is not None:
            # a path that the user gave must not be ignored silently
            if not named.is_file():
                raise ModelMissingError(f"{named}: no such file; correct the path or unset {self.variable}")
            return self._verified(named)
        # by path: importing the package may need what is not installed
        spec = importlib.util.find_spec(self.package)
        folders = [*([Path(spec.origin).parent / self.folder] if spec and spec.origin else []), *self.others]
        for path in (folder / self.name for folder in folders):
            if path.is_file():
                return self._verified(path)
        raise ModelMissingError(
            f"the landmark model {self.name} is not installed; run {self.install}, or set {self.variable} to its path"
        )

    def _verified(self, path: Path) -> Path:
        if (found := sha256(path)) != self.sha256:
            raise ModelMissingError(
                f"{path}: is not the landmark model {self.name} (sha256 {found[:12]}..., expected {self.sha256[:12]}...); reinstall it"
            )
        return path
