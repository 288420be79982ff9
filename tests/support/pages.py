"""HTML pages in tests: their tables as text, and a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest


class Page(HTMLParser):
    """The tables of a page as lists of rows of cells, by the id of the table, and their captions; and all of its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.captions: dict[str, str] = {}
        self._caption = ""
        self.ids: list[str] = []
        self.texts: list[str] = []
        self._rows: list[list[str]] | None = None
        self._in_cell = self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "table":
            self._rows = self.tables[given["id"]] = []
            self.captions[given["id"]] = ""
        elif tag == "caption":
            self._caption = next(reversed(self.captions))
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._rows is not None:
            self._rows[-1].append("")
            self._in_cell = True
        self._hidden = tag in ("style", "script")

    def handle_endtag(self, tag):
        if tag == "table":
            self._rows = None
        elif tag in ("td", "th"):
            self._in_cell = False
        elif tag == "caption":
            self._caption = ""
        self._hidden = False

    def handle_data(self, data):
        if self._in_cell and self._rows is not None:
            self._rows[-1][-1] += data.replace("\N{NO-BREAK SPACE}", " ")
        if self._caption:
            self.captions[self._caption] += data
        if not self._hidden:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace("\N{NO-BREAK SPACE}", " ").split())

    def row(self, table: str, first: str, *, whole: bool = False) -> list[str]:
        """The one row that begins so, or is called so."""
        [found] = [row for row in self.tables[table] if (row[0] == first if whole else row[0].startswith(first))]
        return found


NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# https://www.w3.org/WAI/WCAG21: 4.5 for text
LEAST_CONTRAST = 4.5


@contextmanager
def running_browser() -> Iterator[object]:
    """Start a browser; skip where there is none, but fail where CI or STMAP_NEED_BROWSER says that there must be one."""
    needed = bool(os.environ.get("CI") or os.environ.get("STMAP_NEED_BROWSER"))
    path = os.environ.get("STMAP_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path, sync_playwright = None, None
    if path is None:
        message = f"pages are tested in a browser: install one of {', '.join(NAMES)}, and playwright by the extra 'test'"
        if needed:
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visited(browser, path: Path, *, width: int = 1280, scheme: str = "light", script: bool = True):
    """Open a file; at the end, nothing may have been logged as an error, and nothing asked for but files, data and memory of its own (blob)."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script)
    # of playwright's 30 s a busy machine needs some
    context.set_default_timeout(200_000)
    page, troubles, requests = context.new_page(), [], []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
    try:
        page.goto(path.resolve().as_uri())
        yield page
        assert troubles == [], troubles
        assert [one for one in requests if not one.startswith(("file:", "data:", "blob:"))] == []
    finally:
        context.close()


def contrast(page, selector: str) -> float:
    """Contrast of an element's text against the first background behind it, as WCAG defines it."""
    return page.evaluate(
        """(selector) => {
        const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
            .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
            .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
        const element = document.querySelector(selector);
        const style = getComputedStyle(element);
        const ink = numbers(element instanceof SVGElement ? style.fill : style.color);
        let back = element;
        while (back && (numbers(getComputedStyle(back).backgroundColor)[3] ?? 1) === 0) back = back.parentElement;
        const [a, b] = [light(ink), light(numbers(getComputedStyle(back).backgroundColor))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
        }""",
        selector,
    )
