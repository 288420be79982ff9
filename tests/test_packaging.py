"""What a user gets by `pip install`: packages, data, versions, and a command that answers at once."""

import configparser
import email
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import stmap_pipeline

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SOURCES = {"stmap_pipeline": ROOT / "stmap_pipeline", "stmap_cli": ROOT / "cli/stmap_cli"}


# pinned with all that they bring, but not everywhere installed
_NOT_LOOKED_INTO = ("torch", "lightning-fabric", "safetensors", "setuptools", "build", "twine")


def pinned():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


def required():
    """All that pyproject.toml asks for, extras and build included, but for the extras that name our own."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    groups.append(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"])
    wanted = [Requirement(text) for group in groups for text in group]
    return [one for one in wanted if one.name != "stmap"]


def test_the_packages_listed_are_the_packages_there():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    listed = setup["options"]["packages"].split()
    found = sorted(
        ".".join((name, *path.parent.relative_to(root).parts))
        for name, root in SOURCES.items()
        for path in root.rglob("__init__.py")
    )
    assert listed == found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    setuptools = pytest.importorskip("setuptools", reason="the wheel is built by setuptools")
    if Version(setuptools.__version__) < Version("77"):
        pytest.skip(f"setuptools {setuptools.__version__} is older than the 77 that pyproject.toml asks for")
    # a copy, for a build writes beside its sources; tests stand in it to show that they stay outside
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("stmap_pipeline", "cli", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
    (path,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_all_sources_and_data_and_nothing_else(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {
        f"{package}/{path.relative_to(root).as_posix()}"
        for package, root in SOURCES.items()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == expected
    assert {"stmap_pipeline/py.typed", "stmap_pipeline/databases/vipl_hr_folds.csv", "stmap_cli/main.py"} <= names


def test_the_wheel_says_who_it_is(wheel):
    (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(wheel.read(path))
    assert metadata["Name"] == "stmap"
    assert metadata["Version"] == stmap_pipeline.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())


def test_one_version_everywhere():
    assert version("stmap") == stmap_pipeline.__version__
    assert f"version: {stmap_pipeline.__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{stmap_pipeline.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_command_is_installed():
    (script,) = (point for point in distribution("stmap").entry_points if point.group == "console_scripts")
    assert (script.name, script.value) == ("stmap", "stmap_cli.__main__:main")
    assert callable(script.load())


def test_constraints_pin_one_version_of_each_requirement():
    pins = pinned()
    for name, pin in pins.items():
        (rule,) = pin.specifier
        assert rule.operator == "==", f"{name} is not pinned to one version"
        assert "*" not in rule.version
    for wanted in required():
        name = canonicalize_name(wanted.name)
        assert name in pins, f"{wanted} of pyproject.toml has no line in constraints.txt"
        (rule,) = pins[name].specifier
        assert wanted.specifier.contains(rule.version), f"{pins[name]} is not allowed by {wanted}"


def test_constraints_pin_what_the_requirements_bring_along():
    pins, seen = pinned(), set()
    waiting = [one for one in required() if one.name not in _NOT_LOOKED_INTO]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (name, tuple(wanted.extras)) in seen:
            continue
        seen.add((name, tuple(wanted.extras)))
        assert name in pins, f"{name} comes with the installation and has no line in constraints.txt"
        for text in requires(name) or []:
            other = Requirement(text)
            if other.marker is None or any(other.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)):
                waiting.append(other)


def test_each_requirement_has_its_reason():
    page = (ROOT / "docs/explanation/dependencies.md").read_text("utf-8")
    for wanted in required():
        assert f"`{wanted.name}`" in page, f"{wanted.name} has no reason in docs/explanation/dependencies.md"


def test_help_and_workers_come_without_the_heavy_imports():
    code = (
        "import sys\n"
        "from stmap_cli.main import cli\n"
        "try:\n    cli(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('IMPORTED', *sys.modules)\n"
        "import stmap_pipeline.pipeline.worker\n"
        "print('IMPORTED', *sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    of_help, of_worker = (set(text.split()) for text in out.split("IMPORTED")[1:])
    assert "stmap_cli.main" in of_help
    heavy = {"numpy", "scipy", "h5py", "cv2", "dlib", "av", "pydantic", "joblib", "rich", "matplotlib", "torch"}
    assert not heavy & of_help
    # SciPy imports its parts when they are first asked for: a second and more for each process that needs none of them
    assert {"numpy", "scipy", "av"} <= of_worker
    assert not {"scipy.signal", "scipy.stats", "scipy.ndimage", "scipy.io", "pandas", "matplotlib", "torch", "rich"} & of_worker


@pytest.fixture(scope="module")
def image():
    """Steps of the Dockerfile; .ci/run carries them out."""
    spec = importlib.util.spec_from_file_location("dockerfile", ROOT / ".ci/dockerfile.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.steps((ROOT / "Dockerfile").read_text("utf-8"))


def test_the_image_is_built_of_what_is_there_and_runs_without_rights(image):
    last = max(index for index, (word, _) in enumerate(image) if word == "FROM")
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = [rest.split()[:-1] for word, rest in image[:last] if word == "COPY"]
    assert {name for names in copied for name in names} == allowed
    assert all((ROOT / name).exists() for name in allowed)
    words = [word for word, _ in image[last:]]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert dict(image)["USER"] not in ("root", "0")
    assert dict(image)["ENTRYPOINT"] == '["stmap"]'
    python = dict(image)["ARG"].partition("=")[2]
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]


def test_the_source_archive_is_told_of_each_folder():
    told = (ROOT / "MANIFEST.in").read_text("utf-8")
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") or path.name in (".ci", ".github")}
    # what git ignores, and what setuptools takes by itself
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()}
    own = {"pyproject.toml", "setup.cfg", "README.md", "LICENSE", "MANIFEST.in", "PKG-INFO", "stmap_pipeline", "stmap.egg-info"}
    for name in names - ignored - own:
        assert re.search(rf"\s{re.escape(name)}(\s|$)", told), f"{name} is not in MANIFEST.in"


def test_forms_and_citation_can_be_read():
    yaml = pytest.importorskip("yaml", reason="read by PyYAML, which comes with the extra 'docs'")
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text("utf-8"))
        assert path.name == "config.yml" or {"name", "description", "body"} <= form.keys()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    (paper,) = citation["references"]
    assert (paper["authors"][0]["family-names"], paper["year"]) == ("Niu", 2019)


def test_the_picture_of_the_readme_is_light():
    (name,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert (ROOT / name).stat().st_size < 300_000


def test_the_commands_that_the_readme_shows_are_those_of_the_makefile():
    make, readme = (ROOT / "Makefile").read_text("utf-8"), (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"^make (\w+)", readme, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", make, flags=re.MULTILINE), f"README.md shows `make {target}`"
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
