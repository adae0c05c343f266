"""Figures of the dashboard in a real browser: bytes, time until it is ready, time to draw a day."""

from statistics import median
from typing import Any

from . import rivals
from .browser import SIZES, browser, settle
from .pack import packed, served
from .stand_in import STATIC, StandIn
from .vendor import BUNDLES, COPIES, LICENCES
from .world import World

VENDORED = {*BUNDLES, *COPIES}
LANGUAGES = ("en.js", "de.js", "fr.js")
_TIMES = 5


_WATCH = """new MutationObserver((_, self) => {
    if (!document.querySelector(".flow-svg")) return;
    window.readyMs = performance.now();
    self.disconnect();
}).observe(document, { childList: true, subtree: true })"""


def sizes() -> dict[str, int]:
    """Bytes of each file as gzip sends it; the licences are not part of a page."""
    files = sorted(path for path in STATIC.iterdir() if path.name != LICENCES and path.suffix != ".gz")
    made = served({path.name: path.read_bytes() for path in files})
    return {name: len(packed(data)) for name, data in made.items()}


def totals() -> dict[str, int]:
    """Bytes in all, of our own files, and of the libraries. A visitor loads the texts of one language: in all
    it is the longest, of our own files it is English."""
    found = sizes()
    texts = {name: found.pop(name) for name in LANGUAGES}
    vendored = sum(size for name, size in found.items() if name in VENDORED)
    return {
        "total_bytes": sum(found.values()) + max(texts.values()),
        "own_bytes": sum(found.values()) - vendored + texts["en.js"],
        "vendored_bytes": vendored,
    }


def ready_s(profile: Any, url: str) -> float:
    """From the start of loading, with an empty cache, until the flows are drawn."""
    page = profile.new_page()
    page.add_init_script(_WATCH)
    page.goto(url)
    page.wait_for_selector(".flow-svg")
    found = float(page.evaluate("window.readyMs")) / 1000
    page.close()
    return found


def day_ms(profile: Any, url: str) -> float:
    """Script and drawing of the page Day's chart: 1 440 minutes of six variables, until the next frame."""
    page = profile.new_page()
    page.goto(f"{url}/#/day/2026-06-18")
    settle(page)
    found = float(page.wait_for_selector(".chart-area[data-drawn-ms]").get_attribute("data-drawn-ms"))
    page.close()
    return found


def measure() -> dict[str, Any]:
    """All figures. Raises NoBrowser."""
    with browser() as started, StandIn(World(twins=8, nodes=4)) as server:
        ready = []
        for _ in range(_TIMES):
            with started.new_context(viewport=SIZES["desktop"]) as profile:
                ready.append(ready_s(profile, server.url))
        with started.new_context(viewport=SIZES["desktop"]) as profile:
            days = [day_ms(profile, server.url) for _ in range(_TIMES)]
            others = rivals.measure(profile)
        before = server.bytes_sent
        with started.new_context(viewport=SIZES["desktop"]) as profile:
            ready_s(profile, server.url)
        first_bytes = server.bytes_sent - before
    return {
        **totals(),
        "first_page_bytes": first_bytes,
        "ready_s": round(median(ready), 3),
        "day_ms": round(median(days), 1),
        "rivals": others,
    }
