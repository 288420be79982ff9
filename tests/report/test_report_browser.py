"""Pages of maps and of runs in a real browser: nothing is loaded, nothing overflows, charts are drawn, both color schemes, keyboard, links."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.maps import RATES_BPM, simulated_result
from support.pages import LEAST_CONTRAST, contrast, running_browser, visited
from support.runs import evaluated, renamed_database

from stmap_pipeline.config import Config
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import Outcome, RoiGrid, VideoSource
from stmap_pipeline.report import write_maps_report, write_runs_report
from stmap_pipeline.report.charts import png
from stmap_pipeline.report.maps_report import HeartRates, render_maps
from stmap_pipeline.report.page import About
from stmap_pipeline.report.quality import Quality
from stmap_pipeline.report.tables import BRIEF
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.shards.tables import OUTCOMES, outcome_row, write_table
from stmap_pipeline.training.config import TrainConfig

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")

EVIL = "<script>window.evil = 1</script><b id=evil onmouseover='window.evil = 2'>\"quoted\" & 'so'</b>\nnew line, Ωμέγα 脈波 \x00\u202e"
NAME = "<img src=x onerror=alert(1)> & 'run' 脈"
# what stands in a file name
SHORT = EVIL.replace("\x00", "")
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


def evil_folds(root):
    results = []
    for number, (subject, rates) in enumerate(RATES_BPM.items()):
        for take, bpm in enumerate(rates, 1):
            one = simulated_result(bpm, 14.0, f"{subject}_v{take}", grid=RoiGrid(2, 2), seed=10 * number + take)
            recording = replace(
                one.recording,
                subject=subject,
                fold=1 + number % 2,
                scenario=f"{take} {SHORT}",
                camera=f"{take} {SHORT}",
                video=VideoSource(Path("a<b>.avi")),
            )
            results.append(replace(one, recording=recording))
    settings = {"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "240 frames", "step": "1 s"}}
    return example_maps(root, results, Config.from_mapping(settings))


@pytest.fixture(scope="module")
def runs_report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil")
    maps = evil_folds(folder / "maps <i>")
    runs = []
    for network in ("attention-resnet18", "resnet18"):
        run = folder / f"{NAME} {network}"
        example_run(run, maps, config=TrainConfig(network=network, validation_share=0))
        runs.append(renamed_database(evaluated(run, maps, runs[0] if runs else None), SHORT, simulated=True))
    unfinished = example_run(folder / f"{NAME} unfinished", maps)[0]
    (unfinished / "run.json").unlink()
    (maps / "report.html").write_text("<article id=r-elsewhere></article>")
    return write_runs_report([*runs, unfinished], folder / "report.html", maps=[maps], command=f"stmap report '{SHORT}'")


def all_drawn(page):
    """Scroll past every chart until it is drawn, and give their number."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for one in page.locator(".chart").all():
        one.scroll_into_view_if_needed()
        one.locator(".main-svg").first.wait_for(state="attached")
    return page.locator(".chart").count()


# texts of both pages, and of one
TEXTS = ("body", ".lead", "figcaption", "nav a", "thead th", "td", ".xtick text", ".xtitle")
TEXTS_OF = {
    "report": ("summary", ".stats .bad dd", ".annotation-text"),
    "runs_report": (".banner", ".stats dt", ".legendtext"),
}


@pytest.mark.parametrize(("width", "scheme"), SIZES)
@pytest.mark.parametrize("name", TEXTS_OF)
def test_nothing_overflows_is_loaded_or_runs_and_all_can_be_read(browser, request, name, width, scheme):
    with visited(browser, request.getfixturevalue(name), width=width, scheme=scheme) as page:
        assert all_drawn(page) > 5
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        assert page.evaluate("window.evil === undefined && document.getElementById('evil') === null")
        assert page.locator("img[src='x']").count() == 0
        assert "<script>window.evil = 1</script>" in page.locator("body").inner_text()
        for selector in (*TEXTS, *TEXTS_OF[name]):
            assert contrast(page, selector) >= LEAST_CONTRAST, selector
        # each picture says what it shows
        unnamed = (
            "[...document.querySelectorAll('img, .chart')].filter((one) => !(one.alt || one.getAttribute('aria-label'))).length"
        )
        assert page.evaluate(unnamed) == 0
        # each figure has a caption that tells good from bad
        captions = page.locator("figcaption").all_text_contents()
        assert len(captions) == page.locator("figure").count() > 5
        assert all("Good: " in one and "Bad: " in one for one in captions)


def test_charts_follow_the_color_scheme_and_the_paper(browser, report):
    def color_is(wanted):
        color = "getComputedStyle(document.querySelector('.chart .bars .point path')).fill"
        for _ in range(1000):
            if wanted(page.evaluate(color)):
                return page.evaluate(color)
            page.wait_for_timeout(50)
        raise AssertionError(page.evaluate(color))

    with visited(browser, report, scheme="light") as page:
        all_drawn(page)
        light = color_is(bool)
        page.emulate_media(color_scheme="dark")
        dark = color_is(lambda one: one != light)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        color_is(lambda one: one == light)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        color_is(lambda one: one == dark)


def test_a_dot_names_its_recording_and_leads_to_it_and_a_chart_can_be_saved_as_a_picture(browser, report):
    with visited(browser, report) as page:
        all_drawn(page)
        page.locator("#q-snr-db").scroll_into_view_if_needed()
        page.locator("#q-snr-db .point").first.hover(force=True)
        page.locator("#q-snr-db .hovertext").wait_for()
        assert "_v1" in page.locator("#q-snr-db .hovertext").text_content()
        with page.expect_download() as download:
            page.locator("#q-snr-db .save button", has_text="PNG").click()
        assert download.value.suggested_filename == "q-snr-db.png"
        with page.expect_download() as download:
            page.locator("#q-snr-db .save button", has_text="SVG").click()
        drawing = Path(download.value.path()).read_text("utf-8")
        assert download.value.suggested_filename == "q-snr-db.svg"
        # it says what it shows, and is white whatever the page is
        assert "Pulse SNR" in drawing
        assert "rgb(255, 255, 255)" in drawing
        with page.expect_download() as download:
            page.locator("article .save a", has_text="PNG 2").first.click()
        assert Path(download.value.path()).read_bytes()[1:4] == b"PNG"

        page.locator("#q-snr-db").scroll_into_view_if_needed()
        page.locator("#q-snr-db .point").first.click(force=True)
        assert page.evaluate("document.querySelector(':target').tagName") == "ARTICLE"
        assert "_v1" in page.evaluate("location.hash")
        page.locator("article a[rel=next]").first.click()
        shown_now = page.evaluate("location.hash")
        page.locator(f"article{shown_now} a[rel=prev]").click()
        assert page.evaluate("location.hash") != shown_now


def test_files_of_recordings_lead_to_their_neighbors(browser, linked):
    with visited(browser, linked.with_name(f"{linked.stem}_files") / "p1_v1.html") as page:
        page.locator(".chart .main-svg").first.wait_for(state="attached")
        page.locator("a[rel=next]").click()
        assert page.locator("h1").inner_text().startswith("p2_v1")
        assert page.locator("a[rel=next]").count() == 0
        page.locator(".chart .main-svg").first.wait_for(state="attached")
        page.locator("a[rel=prev]").click()
        assert page.locator("h1").inner_text().startswith("p1_v1")
        page.locator(".chart .main-svg").first.wait_for(state="attached")


def shown(page, column):
    return page.evaluate(f"[...document.querySelectorAll('#recordings tbody tr')].map((row) => row.cells[{column}].textContent)")


def test_a_table_is_sorted_by_the_keyboard_alone_and_links_inside_the_page_lead_somewhere(browser, report):
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

        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
        assert len(ids) == len(set(ids))
        for address in page.evaluate("[...document.querySelectorAll('a[href]')].map((one) => one.getAttribute('href'))"):
            # images are saved from the page itself
            if not address.startswith("data:image/png;base64,"):
                assert address.startswith("#")
                assert address[1:] in ids
        page.locator("#recordings tbody a").first.click()
        assert page.evaluate("document.querySelector(':target').tagName") == "ARTICLE"


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
        page.locator(".chart .main-svg").first.wait_for(state="attached")
        page.locator("#recordings tbody a").first.click()
        assert page.locator("h1").inner_text().startswith("p")
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth && window.evil === undefined")
        # plotly.js comes from the file beside the pages
        page.locator(".chart .main-svg").first.wait_for(state="attached")
        page.locator(".back a").first.click()
        page.locator("#recordings-all:target").wait_for(state="attached")


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
    return render_maps(
        [Outcome(name, "p", "ok") for name in names],
        [(one, png(random.random((25, 75))), None) for one in qualities],
        HeartRates(edges, zeros + 99, zeros + 2500, zeros, 0, 0),
        {"Name": "vipl-hr", "Key": "vipl-hr", "License": "", "BibTeX": ""},
        About([], [], []),
        links={name: f"report_files/{name}.html" for name in names},
        title="Maps of vipl-hr",
        notes={f"note {number}": names for number in range(10)},
        label_problems={name: Counter({"": 20, "label_gaps": 3}) for name in names},
        simulated=True,
        folder="report_files",
    )


def test_a_whole_database_stays_small_and_can_be_sorted_and_searched(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(many(2378), "utf-8")
    assert path.stat().st_size < 15e6
    with visited(browser, path) as page:
        # the others are made when they are wanted
        assert page.locator("#recordings tbody tr").count() == BRIEF
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
        assert page.locator("#recordings tbody tr").count() == 2378
        # said at each figure and table, not at the top alone
        assert page.locator(".badge").count() > page.locator("figure").count()
    with visited(browser, path, script=False) as page:
        assert page.locator("tbody tr:has(th a)").count() == 2378


def test_the_page_of_runs_reads_without_script_is_reached_by_keyboard_and_its_links_lead_somewhere(browser, runs_report):
    with visited(browser, runs_report, script=False) as page:
        assert page.locator("table").count() >= 6
    with visited(browser, runs_report) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        scrolled = page.evaluate(
            "[...document.querySelectorAll('.scroll')].every((one) => one.tabIndex === 0 && one.getAttribute('aria-label'))"
        )
        assert scrolled
        targets = page.evaluate("[...document.querySelectorAll('nav a')].map((one) => one.getAttribute('href').slice(1))")
        assert len(targets) == 11
        assert page.evaluate("(ids) => ids.every((id) => document.getElementById(id))", targets)

        # a press on a dot opens the recording in the report of the maps
        all_drawn(page)
        page.locator("#case1-bland").scroll_into_view_if_needed()
        page.locator("#case1-bland .point").first.click(force=True)
        page.wait_for_url("**/report.html#r-*")
        assert page.evaluate("decodeURIComponent(location.pathname)").endswith("/maps <i>/report.html")
