"""Browsers that look at a node while its memory is measured: `make memtest BROWSERS=5 DURATION=3600`.

When the models are trained, and after some minutes without anybody, so many browsers sign in, each with a
cache of its own, and stay: all but the last on a page of its own, the last visits every page in turn. Do they
take more memory than they may, and does it grow as long as they stay?
"""

import re
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from ..microgrid.launch import Building
from .browser import PAGES, browser, settle

STAY = ("now", "day", "forecast", "system", "space", "twins", "microgrid", "community")
BEFORE_S = 300.0  # without anybody looking
_NEXT_PAGE_S, _SAY_S, _LOOK_S = 60.0, 300.0, 1.0
MOST_MORE_MB = 4.0  # anonymous memory, for all of them
MOST_GROWTH_MB = 1.0  # from the first half of their time to the second: the noise of two trainings


class Viewers:
    """A context manager; `tend` is called again and again."""

    def __init__(self, node: Building, count: int, pid: int, before_s: float = BEFORE_S) -> None:
        """`pid`: of the process of the node."""
        self._node, self._count, self._before_s = node, count, before_s
        self._status = Path("/proc") / str(pid) / "status"
        self._ready_s: float | None = None
        self._stack = ExitStack()
        self._pages: list[Any] = []
        self._opened_s = self._moved_s = self._said_s = 0.0
        self._visits = 0
        self.slow = 0  # pages that were not drawn in time
        self.failures: list[str] = []
        self._alone: list[tuple[float, float]] = []  # anonymous and resident MB
        self._seen: list[tuple[float, float]] = []

    def __enter__(self) -> "Viewers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def pause(self, seconds: float) -> None:
        """Wait, and let the browsers work meanwhile."""
        if self._pages:
            self._pages[0].wait_for_timeout(1000 * seconds)
        else:
            time.sleep(seconds)

    @property
    def seconds(self) -> float:
        """How long they have been there."""
        return time.monotonic() - self._opened_s if self._pages else 0.0

    def tend(self, ready: bool) -> None:
        """Measure, and open the browsers or the next page when it is time. `ready`: nothing is missing any
        more that a node alone takes memory for. Raises NoBrowser, OSError."""
        now_s = time.monotonic()
        if self._ready_s is None:
            if not ready:
                return
            self._ready_s = self._said_s = now_s
        if not self._pages and now_s - self._ready_s >= self._before_s:
            self._say(now_s)
            self._open()
            self._opened_s = self._moved_s = self._said_s = now_s
        elif self._pages and now_s - self._moved_s >= _NEXT_PAGE_S:
            self._moved_s = now_s
            self._visits += 1
            self._go(self._pages[-1], PAGES[self._visits % len(PAGES)])
        (self._seen if self._pages else self._alone).append(self._memory_mb())
        if now_s - self._said_s >= _SAY_S:
            self._say(now_s)

    def _open(self) -> None:
        started = self._stack.enter_context(browser())
        for number in range(self._count):
            page = started.new_context().new_page()
            page.on("pageerror", lambda error: self.failures.append(f"error on a page: {error}"))
            page.goto(self._node.login)
            self._go(page, STAY[number % len(STAY)])
            self._pages.append(page)

    def _go(self, page: Any, name: str) -> None:
        """A page that a busy machine does not draw in time stays open all the same."""
        from playwright.sync_api import TimeoutError as TooSlow

        try:
            page.goto(f"{self._node.url}/#/{name}")
            settle(page)
        except TooSlow:
            self.slow += 1
            print(f"the page {name} was not drawn in time", flush=True)

    def _memory_mb(self) -> tuple[float, float]:
        lines = (line.split() for line in self._status.read_text().splitlines())
        kb = {words[0]: int(words[1]) for words in lines if words[0] in ("VmRSS:", "RssAnon:")}
        return kb["RssAnon:"] / 1024, kb["VmRSS:"] / 1024

    def _say(self, now_s: float) -> None:
        """Print how it is, and look whether every browser still listens."""
        self._said_s = now_s
        minutes = (now_s - (self._opened_s if self._pages else self._ready_s or now_s)) / 60
        streams = self._streams()
        if self._pages and streams != self._count:
            self.failures.append(f"{streams} streams of {self._count} browsers after {minutes:.0f} min")
        recent = (self._seen or self._alone)[-round(_SAY_S / _LOOK_S) :]
        sides = zip(("anonymous", "resident"), zip(*recent, strict=True), strict=True)
        memory = ", ".join(f"{kind} {median(mb):.1f} (at most {max(mb):.1f}) MB" for kind, mb in sides)
        print(f"{minutes:5.0f} min, {len(self._pages)} browsers, {streams} streams: {memory}", flush=True)

    def _streams(self) -> int:
        with urllib.request.urlopen(f"{self._node.url}/metrics", timeout=10) as answer:
            found = re.search(r"stream_clients\{.*\} (\d+)", answer.read().decode())
        return int(found[1]) if found else 0

    def report(self) -> dict[str, float]:
        """Medians and peaks in MB; empty if nobody has looked."""
        if not self._alone or not self._seen:
            return {}
        half = len(self._seen) // 2
        found = {}
        for i, kind in enumerate(("anonymous", "resident")):
            found[f"{kind}_alone_mb"] = median(each[i] for each in self._alone)
            found[f"{kind}_first_half_mb"] = median(each[i] for each in self._seen[:half] or self._seen)
            found[f"{kind}_second_half_mb"] = median(each[i] for each in self._seen[half:])
            found[f"{kind}_most_alone_mb"] = max(each[i] for each in self._alone)
            found[f"{kind}_most_mb"] = max(each[i] for each in self._seen)
        return found

    def verdict(self) -> list[str]:
        """Why it is not as it should be."""
        found = self.report()
        if not found:
            return ["no browser was opened"]
        failures = list(dict.fromkeys(self.failures))
        more_mb = found["anonymous_most_mb"] - found["anonymous_most_alone_mb"]
        if more_mb > MOST_MORE_MB:
            failures.append(f"browsers took {more_mb:.1f} MB at the peak, {MOST_MORE_MB} MB are allowed")
        for kind in ("anonymous", "resident"):
            grown_mb = found[f"{kind}_second_half_mb"] - found[f"{kind}_first_half_mb"]
            if grown_mb > MOST_GROWTH_MB:
                failures.append(f"{kind} memory grew by {grown_mb:.1f} MB between the halves")
        return failures
