"""The report of runs in a real browser: nothing is loaded or run, nothing overflows, each picture says what it shows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from browser import LEAST_CONTRAST, contrast, running_browser, visited
from evaluated_runs import RATES_BPM
from reported_runs import evaluated, renamed_database
from simulated_traces import simulated_result

from stmap_pipeline.config import Config
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.records import RoiGrid, VideoSource
from stmap_pipeline.report.runs import write_runs_report
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.training.config import TrainConfig

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")

EVIL = "<script>window.evil = 1</script><b id=evil onmouseover='window.evil = 2'>\"quoted\" & 'so'</b>\nnew line, Ωμέγα 脈波 \u202e"
NAME = "<img src=x onerror=alert(1)> & 'run' 脈"


def evil_maps(root):
    results = []
    for number, (subject, rates) in enumerate(RATES_BPM.items()):
        for take, bpm in enumerate(rates, 1):
            one = simulated_result(bpm, 14.0, f"{subject}_v{take}", grid=RoiGrid(2, 2), seed=10 * number + take)
            recording = dataclasses.replace(
                one.recording,
                subject=subject,
                fold=1 + number % 2,
                scenario=f"{take} {EVIL}",
                camera=f"{take} {EVIL}",
                video=VideoSource(Path("a<b>.avi")),
            )
            results.append(dataclasses.replace(one, recording=recording))
    settings = {"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "240 frames", "step": "1 s"}}
    return example_maps(root, results, Config.from_mapping(settings))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil")
    maps = evil_maps(folder / "maps <i>")
    runs = []
    for network in ("attention-resnet18", "resnet18"):
        run = folder / f"{NAME} {network}"
        example_run(run, maps, config=TrainConfig(network=network, validation_share=0))
        runs.append(renamed_database(evaluated(run, maps, runs[0] if runs else None), EVIL, simulated=True))
    unfinished = example_run(folder / f"{NAME} unfinished", maps)[0]
    (unfinished / "run.json").unlink()
    return write_runs_report([*runs, unfinished], folder / "report.html", maps=[maps], command=f"stmap report '{EVIL}'")


@pytest.fixture(scope="module")
def browser():
    with running_browser() as one:
        yield one


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_nothing_overflows_is_loaded_or_runs(browser, report, width, scheme):
    with visited(browser, report, width=width, scheme=scheme) as page:
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        assert page.evaluate("window.evil === undefined && document.getElementById('evil') === null")
        assert page.locator("script").count() == 1
        assert page.locator("img[src='x']").count() == 0
        text = page.locator("body").inner_text()
        assert "<script>window.evil = 1</script>" in text
        assert f"{NAME} unfinished" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read(browser, report, scheme):
    with visited(browser, report, scheme=scheme) as page:
        for selector in ("body", ".lead", ".banner", "figcaption", "nav a", "thead th", "td", ".tick", ".note", ".stats dt"):
            assert contrast(page, selector) >= LEAST_CONTRAST, selector


def test_links_lead_somewhere_and_pictures_say_what_they_show(browser, report):
    with visited(browser, report) as page:
        targets = page.evaluate("[...document.querySelectorAll('nav a')].map((one) => one.getAttribute('href').slice(1))")
        assert len(targets) == 11
        assert page.evaluate("(ids) => ids.every((id) => document.getElementById(id))", targets)
        unnamed = page.evaluate(
            """[...document.querySelectorAll('img, svg[role=img]')].filter((one) => one.tagName === 'IMG' ? !one.alt
            : !one.getAttribute('aria-labelledby').split(' ').every((id) => document.getElementById(id)?.textContent)).length"""
        )
        assert unnamed == 0
        captions = page.evaluate(
            "[...document.querySelectorAll('figure')].map((one) => one.querySelector('figcaption')?.textContent ?? '')"
        )
        assert captions
        assert all("Good:" in one and "Bad:" in one for one in captions)


def test_it_reads_without_script_and_is_reached_by_keyboard(browser, report):
    with visited(browser, report, script=False) as page:
        assert page.locator("table").count() >= 6
    with visited(browser, report) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        scrolled = page.evaluate(
            "[...document.querySelectorAll('.scroll')].every((one) => one.tabIndex === 0 && one.getAttribute('aria-label'))"
        )
        assert scrolled
