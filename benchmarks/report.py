"""How long a report takes to write and to open: ``python benchmarks/report.py MAPS [--jobs N]``.

Prints seconds of the clock and of all processors, the size of the page and of the files beside it, and how long Chromium takes from the
address to the loaded page and to the first chart (median of five, each in a new window).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from stmap_pipeline.report import write_maps_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("maps", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        start = time.perf_counter()
        *_, last = write_maps_report(options.maps, page, jobs=options.jobs)
        passed, used = time.perf_counter() - start, sum(os.times()[:4])
        beside = sum(one.stat().st_size for one in page.with_name("report_files").glob("*"))
        print(
            f"written  {last.total} recordings in {passed:.1f} s by {options.jobs} processes; "
            f"{used:.1f} s of processor time, {1000 * used / max(last.total, 1):.0f} ms each"
        )
        print(f"size     page {page.stat().st_size / 1e6:.1f} MB, files beside it {beside / 1e6:.1f} MB")
        loaded, drawn = (1000 * statistics.median(one) for one in zip(*opening_times(page), strict=True))
        print(f"opened   {loaded:.0f} ms, first chart after {drawn:.0f} ms")


def opening_times(page: Path, times: int = 5) -> list[tuple[float, float]]:
    """Seconds to the end of loading, and to the first chart."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for _ in range(times):
            window = browser.new_page()
            window.goto(page.as_uri())
            window.locator(".chart").first.scroll_into_view_if_needed()
            window.locator(".chart .main-svg").first.wait_for(state="attached")
            drawn = window.evaluate("performance.now()")
            found.append((window.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000, drawn / 1000))
            window.close()
        browser.close()
    return found


if __name__ == "__main__":
    main()
