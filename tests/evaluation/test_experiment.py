"""An experiment from Python: the block of the how-to page runs, and what is done already is not done again."""

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="networks need the extra 'train'")
from support import training  # noqa: E402
from support.maps import add_augmentation, content, small_maps  # noqa: E402

from stmap_pipeline.evaluation.experiment import plan_experiment, run_experiment  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "experiment.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    training.register()
    folder = tmp_path_factory.mktemp("experiment")
    maps = small_maps(folder / "maps" / "vipl")
    add_augmentation(maps)
    small_maps(folder / "maps" / "mmse", frames=200)
    return folder


@pytest.fixture(scope="module")
def names(folder):
    """The names that the block of the page leaves behind, after it ran on small maps with small networks."""
    (source,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    source = re.sub(r'Path\("(\w+/\w+)"\)', rf'Path("{folder}/\1")', source)
    source = source.replace("attention-resnet18", "tiny").replace("resnet18", "tiny-plain")
    found: dict = {}
    exec(compile(source, PAGE.name, "exec"), found)  # noqa: S102
    return found


def test_the_python_of_the_page_trains_and_tests_each_cell(names, folder, capsys):
    cells = ["tiny-plan-seed0", "tiny-none-seed0", "tiny-plain-plan-seed0", "tiny-plain-none-seed0", "tiny-plan-cross-seed0"]
    assert [one.folder.name for one in names["plan"].cells] == cells
    assert [one.run.name for one in names["evaluations"]] == [*cells, cells[-1]]
    assert [one.maps.name for one in names["evaluations"]] == [*["vipl"] * 5, "mmse"]
    assert [one.score("network").n for one in names["evaluations"] if one.rows] == [8] * 5
    first = (folder / "runs" / "fg2019" / cells[0] / "baselines.csv").read_bytes()
    assert all((folder / "runs" / "fg2019" / name / "baselines.csv").read_bytes() == first for name in cells[1:4])


def test_repeated_it_reads_what_is_there(names, folder):
    before = content(folder / "runs")
    trained, cells = [], []

    def evaluate(*_):
        pytest.fail("evaluated again")

    again = run_experiment(names["plan"], on_cell=cells.append, train=trained.append, evaluate=evaluate)
    assert repr(again) == repr(names["evaluations"])
    assert cells == list(names["plan"].cells)
    assert all(one.finished for one in trained)
    assert content(folder / "runs") == before


def test_one_fold_of_one_cell(folder):
    plan = plan_experiment(folder / "maps" / "vipl", folder / "quick", networks=["tiny"], augments=["none"], seeds=1, folds=[2])
    assert [(one.folds, one.config.epochs) for one in plan.cells] == [((2,), 50)]
