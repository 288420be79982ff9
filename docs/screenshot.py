"""Take the screenshots of the how-to guides: ``python docs/screenshot.py REPORT.html PICTURE.png [--dark] [--part "#quality"]``.

The picture of docs/how-to/report.md is that of drawn videos::

    stmap synth videos --layout vipl-hr --subjects 2 --seed 3 --duration 12
    stmap build-maps --db vipl-hr videos maps
    stmap report maps
    python docs/screenshot.py report.html docs/how-to/report.png --height 1480

That of docs/how-to/experiment.md is the page of a small experiment; windows.toml has windows of 10 s on a uniform clock of 15 Hz, 2 s
apart, and small.toml width = 8, epochs = 2, windows_per_epoch = 400, batch = 32, validation_share = 0::

    stmap synth simulated --traces --subjects 12 --recordings-per-subject 5 --config windows.toml
    stmap synth others --traces --subjects 6 --recordings-per-subject 3 --seed 1 --config windows.toml
    stmap augment simulated --balance
    stmap experiment fg2019 --vipl simulated --mmse others runs/small --config small.toml --seeds 1
    python docs/screenshot.py runs/small/report.html docs/how-to/experiment.png --height 1480
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright


def main() -> None:
    """Open the page in Chromium and save what is seen of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=1100)
    parser.add_argument("--height", type=int, default=1000)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--part", help="CSS selector of the one element to be shown")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        scheme = "dark" if options.dark else "light"
        context = browser.new_context(viewport={"width": options.width, "height": options.height}, color_scheme=scheme)
        page = context.new_page()
        page.goto(options.page.resolve().as_uri())
        target = page.locator(options.part).first if options.part else page
        if options.part:
            target.scroll_into_view_if_needed()
        # charts are drawn when they come into view
        unseen = "(one) => one.getBoundingClientRect().top > innerHeight || one.getBoundingClientRect().bottom < 0"
        page.wait_for_function(
            f"[...document.querySelectorAll('.chart')].filter((one) => !({unseen})(one)).every((one) => one.querySelector('.main-svg'))"
        )
        page.wait_for_timeout(2000)
        target.screenshot(path=options.picture)
        browser.close()


if __name__ == "__main__":
    main()
