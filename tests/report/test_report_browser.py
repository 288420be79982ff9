"""The page in a real browser: nothing is loaded, nothing overflows, both color schemes, sorting by keyboard, links that lead somewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import LEAST_CONTRAST, contrast, running_browser, visited

from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import Outcome, VideoSource
from stmap_pipeline.report.maps import write_maps_report
from stmap_pipeline.report.maps_page import MapsContent, render_maps
from stmap_pipeline.report.png import level_picture
from stmap_pipeline.report.provenance import About
from stmap_pipeline.report.quality import Quality
from stmap_pipeline.report.summary import HeartRates
from stmap_pipeline.report.tables import BRIEF
from stmap_pipeline.shards.columns import OUTCOMES, outcome_row
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.shards.tables import write_table

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")

EVIL = "<script>window.evil = 1</script><b id=evil onmouseover='window.evil = 2'>\"quoted\" & 'so'</b>\nnew line, Ωμέγα 脈波 \x00\u202e"
SIZES = [(1280, "light"), (400, "dark")]


def evil_maps(root: Path) -> Path:
    """A build whose every free text is hostile."""
    results = []
    for number in range(3):
        one = example_result(f"p{number}_v1", subject=f"p{number}", frames=300, heart_rate_bpm=66.0 + 10 * number)
        recording = replace(one.recording, scenario=EVIL, camera=EVIL, extras={"skin": EVIL}, video=VideoSource(Path("a<b>.avi")))
        results.append(replace(one, recording=recording, notes=(EVIL,), attributes={"codec": EVIL}))
    maps = example_maps(root, results)
    outcomes = [Outcome(f"p{number}_v1", f"p{number}", "ok") for number in range(3)]
    outcomes += [Outcome(f"f{number}", "f", "failed", "faces", "no_face", EVIL) for number in range(12)]
    write_table(maps / "outcomes.csv", OUTCOMES, [outcome_row(one) for one in outcomes])
    source = {"Name": EVIL, "Key": EVIL, "License": EVIL, "BibTeX": "</code></pre>" + EVIL}
    (maps / "dataset_description.json").write_text(json.dumps({"SourceDatasets": [source]}))
    return maps


@pytest.fixture(scope="module")
def browser():
    # not for the whole session: other tests need the thread's event loop
    with running_browser() as one:
        yield one


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return evil_maps(tmp_path_factory.mktemp("evil") / "maps")


@pytest.fixture(scope="module")
def report(maps, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    list(write_maps_report(maps, path, show_faces=True, command=f"stmap report '{EVIL}'"))
    return path


@pytest.fixture(scope="module")
def linked(maps, tmp_path_factory):
    path = tmp_path_factory.mktemp("linked") / "my report #1?.html"
    list(write_maps_report(maps, path, inline=2))
    return path


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_nothing_overflows_is_loaded_or_runs(browser, report, width, scheme):
    with visited(browser, report, width=width, scheme=scheme) as page:
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        assert page.evaluate("window.evil === undefined && document.getElementById('evil') === null")
        assert page.locator("script").count() == 1
        assert "<script>window.evil = 1</script>" in page.locator("body").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_letters_of_charts_can_be_read(browser, report, scheme):
    with visited(browser, report, scheme=scheme) as page:
        for selector in (
            "body",
            ".lead",
            "figcaption",
            "nav a",
            "thead th",
            "td",
            ".tick",
            ".note",
            ".axis",
            "summary",
            ".stats .bad dd",
        ):
            assert contrast(page, selector) >= LEAST_CONTRAST, selector


def test_the_schemes_differ_and_the_charts_with_them(browser, report):
    colors = []
    for scheme in ("light", "dark"):
        with visited(browser, report, scheme=scheme) as page:
            script = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('.bar.s1')).fill]"
            colors.append(page.evaluate(script))
    assert colors[0][0] != colors[1][0]
    assert colors[0][1] != colors[1][1]


def test_every_picture_says_what_it_shows(browser, report):
    with visited(browser, report) as page:
        unnamed = page.evaluate(
            """[...document.querySelectorAll('img, svg[role=img]')].filter((one) => one.tagName === 'IMG' ? !one.alt
            : !one.getAttribute('aria-labelledby').split(' ').every((id) => document.getElementById(id)?.textContent)).length"""
        )
        assert unnamed == 0
        assert page.evaluate("document.querySelectorAll('svg[role=img]').length") > 15
        # each figure has a caption that tells good from bad
        captions = page.locator("figcaption").all_text_contents()
        assert len(captions) == page.locator("figure").count()
        assert all("Good: " in one and "Bad: " in one for one in captions)


def test_ids_are_unique_and_links_inside_the_page_lead_somewhere(browser, report):
    with visited(browser, report) as page:
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
        assert len(ids) == len(set(ids))
        for address in page.evaluate("[...document.querySelectorAll('a[href]')].map((one) => one.getAttribute('href'))"):
            assert address.startswith("#")
            assert address[1:] in ids
        page.locator("#recordings tbody a").first.click()
        assert page.evaluate("document.querySelector(':target').tagName") == "ARTICLE"


def shown(page, column):
    return page.evaluate(f"[...document.querySelectorAll('#recordings tbody tr')].map((row) => row.cells[{column}].textContent)")


def test_a_table_is_sorted_by_the_keyboard_alone(browser, report):
    with visited(browser, report) as page:
        assert page.locator("#recordings thead th[aria-sort=ascending]").inner_text().startswith("pulse SNR")
        button = page.locator("#recordings thead button", has_text="label").first
        button.focus()
        page.keyboard.press("Enter")
        assert shown(page, 2) == ["66.0", "76.0", "86.0"]
        page.keyboard.press("Space")
        assert shown(page, 2) == ["86.0", "76.0", "66.0"]
        assert page.locator("#recordings thead th[aria-sort=descending]").inner_text().startswith("label")
        assert page.locator("#recordings thead th[aria-sort=none]").count() == page.locator("#recordings thead th").count() - 1


def test_paper_is_white_and_holds_all_columns_of_a_table_in_its_width(browser, report):
    with visited(browser, report, width=700, scheme="dark") as page:
        page.emulate_media(media="print")
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert contrast(page, "td") >= LEAST_CONTRAST


def test_the_page_can_be_read_without_its_script(browser, report):
    with visited(browser, report, script=False) as page:
        assert page.locator("#recordings tbody tr").count() == 3
        assert page.locator("article").count() == 3


def test_linked_files_are_there_and_lead_back(browser, linked):
    with visited(browser, linked) as page:
        assert page.locator("article").count() == 0
        page.locator("#recordings tbody a").first.click()
        assert page.locator("h1").inner_text().startswith("p")
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth && window.evil === undefined")
        page.locator(".back a").click()
        assert page.evaluate("document.querySelector(':target').id") == "recordings-all"


def many(count):
    """A page of so many recordings, as large as those of a whole database."""
    random = np.random.default_rng(1)
    qualities = [
        Quality(f"p{i // 22:03d}_v{i % 9}_source{i % 3}_{i}", f"p{i // 22:03d}", f"v{i % 9}", f"source{i % 3}", 1 + i % 5, 30.0, *random.random(2), 0.0, 0,
                *random.random(3), float(random.normal(0, 5)), *random.uniform(50, 120, 3), "heart_rate")
        for i in range(count)
    ]  # fmt: skip
    names = [one.recording_id for one in qualities]
    edges = np.arange(40.0, 165.0, 5.0)
    zeros = np.zeros(24, dtype=np.int64)
    return MapsContent(
        [Outcome(name, "p", "ok") for name in names],
        qualities,
        {name: level_picture(random.random((25, 75))) for name in names},
        {},
        {name: f"report_files/{name}.html" for name in names},
        HeartRates(edges, zeros + 99, zeros + 2500, zeros, 0, 0),
        {"Name": "vipl-hr", "Key": "vipl-hr", "License": "", "BibTeX": ""},
        About([], [], []),
        True,
        folder="report_files",
    )


def test_a_whole_database_stays_small_and_can_be_sorted_and_searched(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render_maps(many(2378)), "utf-8")
    assert path.stat().st_size < 15e6
    with visited(browser, path) as page:
        assert page.locator("#recordings tbody tr").count() == 2378
        page.locator("#recordings thead button", has_text="POS").first.click()
        first, *_, last = [float(one) for one in shown(page, 3)]
        assert first < last
        on_screen = "[...document.querySelectorAll('#recordings tbody tr')].filter((one) => one.offsetHeight).length"
        assert page.evaluate(on_screen) == BRIEF
        page.locator("#recordings-q").fill("p100_")
        visible = page.evaluate(on_screen)
        assert 0 < visible < 50
        assert page.locator("[data-count=recordings]").inner_text() == f"{visible} of 2378 rows"
        page.locator("#recordings-q").fill("")
        assert page.evaluate(on_screen) == BRIEF
        page.locator("button[data-all]").press("Enter")
        assert page.evaluate(on_screen) == 2378
        # said beside each number, not at the top alone
        assert page.locator(".badge").count() > page.locator("figure").count()
