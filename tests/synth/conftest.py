"""Small synthetic databases that several tests only read."""

from pathlib import Path

import pytest

from stmap_pipeline.synth import Synthesis, plan_synthesis

DURATION_S = 2.0


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Return a function that writes a layout once and returns its plan."""
    done: dict[str, Synthesis] = {}

    def write(layout: str) -> Synthesis:
        if layout not in done:
            out: Path = tmp_path_factory.mktemp(layout) / "tree"
            plan = plan_synthesis(out, layout, 2, seed=3, duration_s=DURATION_S)
            list(plan.run())
            done[layout] = plan
        return done[layout]

    return write


@pytest.fixture(scope="session")
def vipl_tree(written):
    return written("vipl-hr")


@pytest.fixture(scope="session")
def mmse_tree(written):
    return written("mmse-hr")


@pytest.fixture(scope="session")
def folder_tree(written):
    return written("folder")
