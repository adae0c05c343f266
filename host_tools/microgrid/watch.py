"""Polls the nodes of a running microgrid once a second and displays them: a live table, or lines in a log."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from edge.terms import VARIABLES

from .audit import Audit
from .launch import Building, Microgrid

_GRID = ("imported", "exported")
# of the six variables *produced* is what suppliers are ready to give, so it is shown as that
_POWERS = tuple("ready" if each == "produced" else each for each in VARIABLES) + _GRID
_WIDE = (*_POWERS, "contracts", "links", "RSS MB")
_NARROW = ("req", "ready", "cons", "supp", "miss", "avail", "imp", "exp", "", "links", "")  # "": not shown
_STATES = ("req", "prod", "cons", "supp", "miss", "avail")  # of a prediction
_WIDE_FROM = 122
_BESIDE_NAME = 66  # columns of the narrow table without the name of the node
_LINE_EVERY_S = 5.0
_AHEAD_MIN = "30"


@dataclass
class Sight:
    """The last answers of one node; None until it has answered."""

    building: Building
    health: dict[str, Any] | None = None
    node: dict[str, Any] | None = None
    twins: list[dict[str, Any]] | None = None
    contracts: dict[str, Any] | None = None

    def cells(self) -> list[str]:
        """One row of the table."""
        name = self.building.name
        if not (self.health and self.node and self.contracts):
            return [name, *[""] * len(_POWERS), "", "", "", "no answer"]
        powers_w = {key: self.node["total"][f"{key}_w"] for key in VARIABLES}
        powers_w |= {key: self.node["flows"][f"{key}_w"] for key in _GRID}
        valid = sum(1 for each in self.contracts["consumed"] if each["valid"])
        links = self.health["links"]["neighbours"].values()
        up = sum(1 for each in links if each["connected"])
        return [
            name,
            *[f"{power_w:,.0f}" for power_w in powers_w.values()],
            str(valid),
            f"{up}/{len(links)}",
            f"{self.health['rss_mb']:.1f}",
            self.health["status"],
        ]

    def summary(self) -> dict[str, Any]:
        """The node's entry in run.json. Raises RuntimeError if it never answered."""
        if not (self.health and self.twins is not None and self.contracts):
            raise RuntimeError(f"node {self.building.name} never answered")
        links = self.health["links"]["neighbours"].values()
        return {
            "name": self.building.name,
            "rss_mb": self.health["rss_mb"],
            "hwm_mb": self.health["hwm_mb"],
            "twins": len(self.twins),
            "contracts": sum(1 for each in self.contracts["consumed"] if each["valid"]),
            "neighbours": sum(1 for each in links if each["connected"]),
            "readings": self.health["readings"],
            "readings_undefined": self.health["readings_undefined"],
            "bytes_sent": sum(each["sent_bytes"] for each in links),
            "dropped": sum(each["dropped"] for each in links) + sum(self.health["dropped"].values()),
        }


class Watch:
    """The last answers of all nodes, the audit of their contracts, and the prediction."""

    def __init__(self, microgrid: Microgrid) -> None:
        self.sights = [Sight(building) for building in microgrid.buildings]
        self.audit = Audit()
        self.prediction = ""  # of the microgrid's state, by the first node that learns

    def look(self) -> None:
        """Poll every node."""
        answered = {}
        for sight in self.sights:
            try:
                sight.health = sight.building.ask("/health")
                sight.node = sight.building.ask("/node")
                sight.twins = sight.building.ask("/twins")
                sight.contracts = sight.building.ask("/contracts")
            except (OSError, ValueError):
                continue
            answered[sight.building.name] = sight.contracts
        self.audit.look(answered, time.monotonic())
        self._look_at_prediction()

    def _look_at_prediction(self) -> None:
        learning = next((s.building for s in self.sights if s.building.plan.learning), None)
        if learning is None:
            return
        try:
            cluster = learning.ask("/predictions").get("cluster")
            known = learning.ask("/learning")["scopes"]["cluster"]
        except (OSError, ValueError):
            return
        if not cluster:
            self.prediction = f"{known['model']}: {known['minutes']} minutes of history, no prediction yet"
            return
        states = (
            f"{short} {state[_AHEAD_MIN][0]} ({100 * state[_AHEAD_MIN][1]:.0f} %)"
            for short, state in zip(_STATES, cluster["likeliest"].values(), strict=True)
        )
        self.prediction = f"predicted state in {_AHEAD_MIN} min, {known['model']}: {' '.join(states)}"

    def table(self, title: str, width: int) -> Table:
        """A table with a row for each node, for a terminal of `width` columns; powers in W."""
        table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column("node, W", no_wrap=True, max_width=width - _BESIDE_NAME, overflow="ellipsis")
        headings = _WIDE if width >= _WIDE_FROM else _NARROW
        for heading in filter(None, headings):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("health", no_wrap=True)
        for sight in self.sights:
            table.add_row(*compress(sight.cells(), (True, *headings, True)))
        if self.prediction:
            table.caption, table.caption_justify = self.prediction, "left"
        return table

    def lines(self, prefix: str) -> str:
        """The same as lines for a log, one for each node."""
        keys = (*_POWERS, "contracts", "links", "rss_mb", "health")
        lines = [
            f"{prefix} {cells[0]}: " + " ".join(f"{k}={v}" for k, v in zip(keys, cells[1:], strict=True))
            for cells in (sight.cells() for sight in self.sights)
        ]
        return "\n".join([*lines, f"{prefix} {self.prediction}"] if self.prediction else lines)


def follow(watch: Watch, seconds: float | None, title: Callable[[], str], console: Console) -> None:
    """Poll and display once a second, for `seconds` or forever; Ctrl-C ends it early."""
    began_s = time.monotonic()
    printed_s = float("-inf")
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    try:
        if live:
            live.start()
        while seconds is None or time.monotonic() - began_s < seconds:
            watch.look()
            elapsed_s = time.monotonic() - began_s
            if live:
                table = watch.table(f"{title()}   {elapsed_s:.0f} s   stop with Ctrl-C", console.width)
                live.update(table, refresh=True)
            elif elapsed_s - printed_s >= _LINE_EVERY_S:
                printed_s = elapsed_s
                print(watch.lines(f"{elapsed_s:6.1f}s"), flush=True)
            left_s = 1.0 if seconds is None else min(1.0, began_s + seconds - time.monotonic())
            time.sleep(max(0.0, left_s))
    except KeyboardInterrupt:
        print("stopping ...", file=sys.stderr)
    finally:
        if live:
            live.stop()
