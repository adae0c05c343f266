"""Open dashboards and streams beside a running node, and watch its memory: is it flat?

    python -m host_tools.page.viewers --url http://127.0.0.1:8080 --pid PID --streams 5 --pages 1 --minutes 60

The pages are visited in turn and stay open, so their streams do, too. Each minute the anonymous and the whole
resident memory of the node are printed, and in the end how much they grew while somebody looked.
"""

import argparse
import json
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from .browser import PAGES, browser, settle

_BEFORE_S = 60.0  # without anybody looking
_LOOK_S = 5.0


@dataclass
class Watched:
    """Memory of a process over time, in MB."""

    pid: int
    anon_mb: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Read it once."""
        lines = (line.split() for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        kb = {words[0]: int(words[1]) for words in lines if words[0] in ("VmRSS:", "RssAnon:")}
        self.anon_mb.append(kb["RssAnon:"] / 1024)
        self.rss_mb.append(kb["VmRSS:"] / 1024)


def watch(url: str, pid: int, streams: int, pages: int, minutes: float, say: Any = print) -> dict[str, float]:
    """Look for so many minutes; returns figures in MB. Raises NoBrowser, OSError."""
    watched = Watched(pid)
    _for(_BEFORE_S, watched)
    before = len(watched.anon_mb)
    say(f"before: {median(watched.anon_mb):.1f} MB anonymous, {median(watched.rss_mb):.1f} MB resident")
    with ExitStack() as stack:
        listening = [stack.enter_context(_listen(url)) for _ in range(streams)]
        profiles = []
        if pages:
            started = stack.enter_context(browser())
            profiles = [started.new_context().new_page() for _ in range(pages)]
        for minute in range(round(minutes)):
            for number, page in enumerate(profiles):
                page.goto(f"{url}/#/{PAGES[(minute + number) % len(PAGES)]}")
                settle(page)
            taken = _for(60.0, watched, listening)
            say(
                f"minute {minute + 1}: {watched.anon_mb[-1]:.1f} MB anonymous, {watched.rss_mb[-1]:.1f} MB "
                f"resident, {taken / 1000:.0f} kB of streams"
            )
    looked = watched.anon_mb[before:]
    half = len(looked) // 2
    return {
        "before_mb": round(median(watched.anon_mb[:before]), 2),
        "first_half_mb": round(median(looked[:half]), 2),
        "second_half_mb": round(median(looked[half:]), 2),
        "most_mb": round(max(looked), 2),
        "rss_first_half_mb": round(median(watched.rss_mb[before:][:half]), 2),
        "rss_second_half_mb": round(median(watched.rss_mb[before:][half:]), 2),
    }


def _listen(url: str) -> socket.socket:
    parts = urlsplit(url)
    found = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10)
    found.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    found.setblocking(False)
    return found


def _for(seconds: float, watched: Watched, listening: list[socket.socket] | None = None) -> int:
    """Look at the memory now and then, and take what the streams say; returns its bytes."""
    until_s, taken = time.monotonic() + seconds, 0
    while (left_s := until_s - time.monotonic()) > 0:
        for each in listening or ():
            taken += _drained(each)
        watched.look()
        time.sleep(min(_LOOK_S, left_s))
    return taken


def _drained(stream: socket.socket) -> int:
    taken = 0
    while True:
        try:
            data = stream.recv(1 << 16)
        except BlockingIOError:
            return taken
        if not data:
            raise ConnectionError("the node has ended a stream")
        taken += len(data)


def main() -> int:
    """Parse the arguments, watch, print."""
    parser = argparse.ArgumentParser(prog="host_tools.page.viewers", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--pid", required=True, type=int)
    parser.add_argument("--streams", type=int, default=5)
    parser.add_argument("--pages", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60)
    chosen = parser.parse_args()
    print(json.dumps(watch(chosen.url, chosen.pid, chosen.streams, chosen.pages, chosen.minutes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
