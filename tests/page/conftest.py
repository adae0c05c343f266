"""A real browser for the tests of the dashboard, and a server that stands in for a node."""

import pytest

from host_tools.page.browser import SIZES, browser, settle
from host_tools.page.screens import MOMENT_S
from host_tools.page.stand_in import StandIn
from host_tools.page.world import World


@pytest.fixture(scope="session")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture
def world():
    return World(twins=8, nodes=4, now_s=MOMENT_S)


@pytest.fixture
def server(world):
    with StandIn(world) as started:
        yield started


class Visit:
    """A page of a fresh profile, and what went wrong on it."""

    def __init__(self, chromium, url, size="desktop", at_s=MOMENT_S, **options):
        options = {"viewport": SIZES[size], "locale": "en-GB", "timezone_id": "UTC", **options}
        self.profile = chromium.new_context(**options)
        self.page = self.profile.new_page()
        self.page.set_default_timeout(20_000)
        if at_s:
            self.page.clock.set_system_time(at_s)  # and from there on it goes as ever
        self.url, self.wrong = url, []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._console)

    def _console(self, message):
        where = (message.location or {}).get("url", "")
        if message.type == "error":
            self.wrong.append(f"{message.text} {where}")

    def open(self, name="now"):
        self.page.goto(f"{self.url}/#/{name}")
        settle(self.page)
        return self.page

    def check(self):
        """No error, nothing undefined, and nothing wider than the screen."""
        assert not self.wrong
        text = self.page.inner_text("body")
        assert not [word for word in ("undefined", "NaN", "[object", "Infinity") if word in text]
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{self.page.url}: {wide} pixels wider than the screen"

    def close(self):
        self.profile.close()


@pytest.fixture
def visit(chromium, server):
    """Opens profiles: visit(size="phone", ...)."""
    opened = []

    def start(size="desktop", **options):
        opened.append(Visit(chromium, server.url, size, **options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()
