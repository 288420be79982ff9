"""Carry out the steps of the Dockerfile without Docker: each absolute path of the image lies below a folder.

    python .ci/dockerfile.py CONTEXT FOLDER

What needs Docker is left out and named: the base image, users, and the entry point, whose command is run once instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# paths of the image that a step may name
_PATHS = re.compile(r"(?<![\w./-])/(src|opt|data|tmp)\b")


def steps(text: str) -> list[tuple[str, str]]:
    """Return instruction and argument of each step, lines that continue joined.

    Parameters
    ----------
    text : str
        Content of a Dockerfile.
    """
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word and not word.startswith("#")]


def carry_out(context: Path, root: Path) -> None:
    """Carry out all steps, and run the entry point with the default arguments."""
    root = root.resolve()
    shims = root / "python"
    shims.mkdir(parents=True)
    (shims / "python").symlink_to(Path(sys.executable).resolve())
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
    environment["PATH"] = f"{shims}:{environment['PATH']}"
    place, entry = root, []
    for word, rest in steps((context / "Dockerfile").read_text("utf-8")):
        inside = _PATHS.sub(lambda match: str(root / match[1]), rest)
        if word == "WORKDIR":
            place = Path(inside)
            place.mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            for pair in inside.split():
                name, _, value = pair.partition("=")
                environment[name] = value.replace("$PATH", environment["PATH"])
        elif word == "COPY" and "--from=" in rest:
            if not all(Path(one).exists() for one in inside.split()[1:]):
                raise SystemExit(f"COPY {rest}: is not there")
        elif word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                copy(context / source, place / target / ("" if (context / source).is_dir() else source))
        elif word == "RUN" and not rest.startswith("useradd"):
            print(f"RUN {rest}", flush=True)
            subprocess.run(["sh", "-euc", inside], cwd=place, env=environment, check=True)
        elif word in ("ENTRYPOINT", "CMD"):
            entry += json.loads(rest)
        else:
            print(f"left out: {word} {rest}", flush=True)
    subprocess.run(entry, cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)


def copy(source: Path, target: Path) -> None:
    """Copy a file, or the content of a folder."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


if __name__ == "__main__":
    carry_out(Path(sys.argv[1]), Path(sys.argv[2]))
