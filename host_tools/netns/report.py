"""What a trial has found: real nodes beside the virtual clock, and what only real ones cost."""

import statistics
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .real import RealSite
from .trial import Findings, Served

Phase = Callable[[Findings], dict[str, float]]
_SWITCHING: Phase = attrgetter("switching")
_REST: Phase = attrgetter("rest")


class Watched:
    """A real site that is also weighed at rest: memory, CPU and bytes on the wire."""

    def __init__(self, site: RealSite) -> None:
        self._site = site
        self._looks: list[tuple[float, dict[str, dict[str, float]]]] = []
        self._passed_s = 0.0

    def begin(self) -> None:
        self._site.begin()

    def wait(self, seconds: float) -> float:
        passed_s = self._site.wait(seconds)
        self._passed_s += passed_s
        return passed_s

    def known(self) -> dict[str, int]:
        return self._site.known()

    def consumers(self, nodes: Collection[str]) -> dict[str, list[Served]]:
        return self._site.consumers(nodes)

    def sent(self) -> dict[str, tuple[int, int]]:
        self._looks.append((self._passed_s, self._site.usage()))
        return self._site.sent()

    def separate(self, parts: Sequence[Collection[str]]) -> None:
        self._site.separate(parts)

    def broken(self) -> list[str]:
        return self._site.broken()

    def measured(self) -> dict[str, Any]:
        """Of a node: between the last two looks, which are the begin and the end of the rest."""
        (before_s, before), (after_s, after) = self._looks[-2:]

        def rate(key: str, name: str) -> float:
            return (after[name][key] - before[name][key]) / (after_s - before_s)

        found: dict[str, Any] = {}
        for key in ("rss_mb", "pss_mb", "broker_pss_mb"):
            found |= _mean_and_most(key, [each[key] for each in after.values()])
        found |= _mean_and_most("cpu_percent", [100 * rate("cpu_s", name) for name in after])
        return found | _mean_and_most("wire_bytes_per_s", [rate("wire_bytes", name) for name in after])


def _mean_and_most(key: str, values: list[float]) -> dict[str, float]:
    return {key: round(statistics.mean(values), 2), f"{key}_max": round(max(values), 2)}


def content(found: Findings) -> dict[str, Any]:
    """The same for a file."""
    told = {key: value for key, value in vars(found).items() if key != "by_hops"}
    hops = {str(each): _spread(times) for each, times in sorted(found.by_hops.items())}
    every = [time_s for times in found.by_hops.values() for time_s in times]
    return told | {"response_s": _spread(every), "response_s_by_hops": hops}


def _spread(times_s: list[float]) -> dict[str, float]:
    if not times_s:
        return {}
    times_s = sorted(times_s)
    return {
        "n": len(times_s),
        "median": round(statistics.median(times_s), 4),
        "p95": round(times_s[min(len(times_s) - 1, int(0.95 * len(times_s)))], 4),
        "max": round(times_s[-1], 4),
    }


def table(title: str, real: Findings, virtual: Findings, measured: dict[str, Any]) -> Table:
    """One row for each figure."""
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown.add_column("")
    for name in ("real", "virtual clock"):
        shown.add_column(name, justify="right", no_wrap=True)

    def both(name: str, of: Callable[[Findings], str]) -> None:
        shown.add_row(name, of(real), of(virtual))

    both("all nodes know each other after, s", lambda each: _seconds(each.known_s))
    both("consumers served", lambda each: f"{each.served} of {each.consumers}")
    for hops in sorted(real.by_hops.keys() | virtual.by_hops.keys()):
        times = [_times(each.by_hops.get(hops)) for each in (real, virtual)]
        shown.add_row(f"time to a contract, {hops} hops, median / max, s", *times)
    every = "time to a contract, all, median / p95 / max, s"
    both(every, lambda each: _all_times([t for times in each.by_hops.values() for t in times]))
    for name, of in (("while loads switch on", _SWITCHING), ("at rest", _REST)):
        both(f"sent by a node {name}, mean / most, B/s", _bytes(of))
        both(f"messages a second {name}", _messages(of))
    both("without supply at the end of the cut", lambda each: str(each.lost))
    both("after the repair all know each other, s", lambda each: _seconds(each.seen_again_s))
    both("after the repair all are supplied, s", lambda each: _seconds(each.served_again_s))
    both("invariants broken", lambda each: str(len(each.broken)))
    for name, key, digits in (
        ("memory of a node, RSS, mean / most, MB", "rss_mb", 1),
        ("memory of a node, PSS, mean / most, MB", "pss_mb", 1),
        ("memory of a broker, PSS, mean / most, MB", "broker_pss_mb", 1),
        ("CPU of node and broker at rest, mean / most, %", "cpu_percent", 1),
        ("on the wire at rest, mean / most, B/s", "wire_bytes_per_s", 0),
    ):
        shown.add_row(name, f"{measured[key]:,.{digits}f} / {measured[f'{key}_max']:,.{digits}f}", "-")
    shown.add_row("load of this machine, of the last minute", f"{measured['load']:g}", "-")
    if counters := measured["switch"]:
        late = f"{counters['late_p95_ms']:g} / {counters['late_max_ms']:g}"
        shown.add_row("packets late at the switch, p95 / max, ms", late, "-")
    return shown


def _seconds(value: float | None) -> str:
    return "not in time" if value is None else f"{value:.1f}"


def _times(times_s: list[float] | None) -> str:
    return f"{statistics.median(times_s):.3f} / {max(times_s):.3f}" if times_s else "-"


def _all_times(times_s: list[float]) -> str:
    found = _spread(times_s)
    return f"{found['median']:.3f} / {found['p95']:.3f} / {found['max']:.3f}" if found else "-"


def _bytes(of: Phase) -> Callable[[Findings], str]:
    return lambda each: f"{of(each)['bytes_per_s']:,.0f} / {of(each)['bytes_per_s_max']:,.0f}"


def _messages(of: Phase) -> Callable[[Findings], str]:
    return lambda each: f"{of(each)['messages_per_s']:.2f}"
