"""Debian's Chromium, driven by playwright: for tests, screenshots and figures of the dashboard."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb")
SIZES = {"desktop": {"width": 1360, "height": 860}, "phone": {"width": 390, "height": 844}}
PAGES = ("now", "day", "twins", "microgrid", "forecast", "community", "space", "system")


class NoBrowser(RuntimeError):
    """There is no browser here; the message says how to get one."""


def program() -> str:
    """The path of the browser. Raises NoBrowser."""
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise NoBrowser("no Chromium found: apt-get install chromium (make setup does it with root)")


@contextmanager
def browser() -> Iterator[Any]:
    """A browser of playwright. Raises NoBrowser."""
    from playwright.sync_api import sync_playwright

    path = program()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield started
        finally:
            started.close()


def settle(page: Any) -> None:
    """Wait until the page shows its content, and nothing is loaded any more."""
    page.wait_for_selector("h1")
    page.wait_for_selector("main .loading", state="detached", timeout=15_000)
