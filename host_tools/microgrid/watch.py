"""Polls the nodes of a running microgrid once a second and displays them: a live table, or lines in a log."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge.terms import VARIABLES

from . import layout
from .audit import Audit
from .gates import GateWatch, gates_of
from .launch import Building, Microgrid
from .lessons import TRAINED

_GRID = ("imported", "exported")
# of the six variables *produced* is what suppliers are ready to give, so it is shown as that
_POWERS = tuple("ready" if each == "produced" else each for each in VARIABLES) + _GRID
_WIDE = ("node, W", *_POWERS, "contracts", "links", "RSS MB", "health")
_SHORT_POWERS = ("req", "ready", "cons", "supp", "miss", "avail", "imp", "exp")
_NARROW = ("node, W", *_SHORT_POWERS, "contr", "links", "MB", "health")
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

    @property
    def rss_mb(self) -> float | None:
        """Of its process; 0 for a node that runs in the process of another one, which shows it."""
        assert self.health is not None
        return 0.0 if self.building.plan.machine else self.health["rss_mb"]

    def cells(self) -> list[str]:
        """One row of the table."""
        name = self.building.name
        if not (self.health and self.node and self.contracts):
            return [name, *[""] * len(_POWERS), "", "", "", "no answer"]
        valid = sum(1 for each in self.contracts["consumed"] if each["valid"])
        links = self.health["links"]["neighbours"].values()
        up = sum(1 for each in links if each["connected"])
        return [
            name,
            *["?" if power_w is None else f"{power_w:,.0f}" for power_w in self._powers_w()],
            str(valid),
            f"{up}/{len(links)}",
            "?" if self.rss_mb is None else f"{self.rss_mb:.1f}" if self.rss_mb else "",
            self.health["status"],
        ]

    def _powers_w(self) -> list[float | None]:
        """The six variables and the exchange with the grid; None while unknown."""
        assert self.node is not None
        total, flows = self.node["total"], self.node["flows"]
        return [total[f"{key}_w"] for key in VARIABLES] + [flows[f"{key}_w"] for key in _GRID]

    def numbers(self) -> list[float]:
        """What the total adds up: the six variables, contracts, links up and known, and memory.

        What passes a gate is left out, as devices take it, and are counted.
        """
        if not (self.health and self.node and self.twins is not None and self.contracts):
            return [0.0] * (len(_POWERS) + 4)
        links = self.health["links"]["neighbours"].values()
        gates = {twin["name"]: twin for twin in self.twins if twin["kind"] == "holon"}
        passes_w = [sum(each) for each in zip(*map(_powers_of_gate, gates.values()), strict=True)]
        powers_w = [power_w or 0.0 for power_w in self._powers_w()]
        contracts = (each for each in self.contracts["consumed"] if each["consumer"] not in gates)
        return [
            *(power_w - passing_w for power_w, passing_w in zip_longest(powers_w, passes_w, fillvalue=0.0)),
            sum(1.0 for each in contracts if each["valid"]),
            sum(1.0 for each in links if each["connected"]),
            len(links),
            self.rss_mb or 0.0,
        ]

    def summary(self) -> dict[str, Any]:
        """The node's entry in run.json. Raises RuntimeError if it never answered."""
        if not (self.health and self.twins is not None and self.contracts):
            raise RuntimeError(f"node {self.building.name} never answered")
        links = self.health["links"]["neighbours"].values()
        return {
            "name": self.building.name,
            "process": self.building.plan.machine or self.building.name,
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
        self.gates = GateWatch(gates_of(building.plan for building in microgrid.buildings))
        self.audit = Audit(self.gates.gates)
        self.prediction = ""  # of the microgrid's state, by the first node that learns
        self.gossip: list[str] = []  # a line for each node and scope

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
        self.gates.look(answered)
        self._look_at_prediction()
        self._look_at_gossip()

    def _look_at_gossip(self) -> None:
        if not any(sight.building.plan.gossip for sight in self.sights):
            return
        lines = []
        for sight in self.sights:
            try:
                scopes = sight.building.ask("/gossip")["scopes"]
            except (OSError, ValueError):
                continue
            lines += [gossip_line(sight.building.name, scope, each) for scope, each in scopes.items()]
        self.gossip = lines

    def _look_at_prediction(self) -> None:
        learning = next((s.building for s in self.sights if s.building.plan.learning), None)
        if learning is None:
            return
        try:
            cluster = learning.ask("/predictions").get("cluster")
            known = learning.ask("/learning")["scopes"]["cluster"]
        except (OSError, ValueError):
            return
        model, minutes = known["model"], known["minutes"]
        self.prediction = f"{model}: {minutes} minutes of history"
        if model in TRAINED and not known["trainings"]:
            first_min = learning.plan.learning.get("first_training_min", 0)
            left = first_min - minutes
            self.prediction += f", first training {f'in {left} min' if left > 0 else 'under way'}"
        if not cluster:
            self.prediction += "; no prediction yet"
            return
        powers = []
        for (variable, ahead), limits_w in zip(
            cluster["likeliest"].items(), cluster["limits_w"], strict=True
        ):
            state, chance = ahead[_AHEAD_MIN]
            powers.append(f"{variable} {power_range(limits_w, int(state))} ({100 * chance:.0f} %)")
        self.prediction += f"\nmicrogrid in {_AHEAD_MIN} min, W: {', '.join(powers)}"

    def table(self, title: str, width: int) -> Table:
        """A table with a row for each node and their total, for a terminal of `width` columns; in W."""
        headings = list(zip(_WIDE, _NARROW, strict=True))
        return layout.table(title, headings, [sight.cells() for sight in self.sights], self._total(), width)

    def _total(self) -> list[str]:
        *powers_w, contracts, up, known, rss_mb = map(
            sum, zip(*(s.numbers() for s in self.sights), strict=True)
        )
        return [
            "total",
            *(f"{power_w:,.0f}" for power_w in powers_w),
            f"{contracts:.0f}",
            f"{up:.0f}/{known:.0f}",
            f"{rss_mb:.1f}",
            "",
        ]

    def addresses(self) -> str:
        """A line for each node: its dashboard, which logs in who opens it, and the port of its broker."""
        buildings = [sight.building for sight in self.sights]
        longest = max(len(each.name) for each in buildings)
        return "\n".join(
            f"{each.name:{longest}}  {each.login}  broker {each.broker.port}" for each in buildings
        )

    def lines(self, prefix: str) -> str:
        """The same as lines for a log, one for each node."""
        keys = (*_POWERS, "contracts", "links", "rss_mb", "health")
        lines = [
            f"{prefix} {cells[0]}: " + " ".join(f"{k}={v}" for k, v in zip(keys, cells[1:], strict=True))
            for cells in (sight.cells() for sight in self.sights)
        ]
        lines += [f"{prefix} {line}" for line in self.gossip]
        return "\n".join([*lines, f"{prefix} {self.prediction}"] if self.prediction else lines)


def _powers_of_gate(twin: dict[str, Any]) -> list[float]:
    """The six variables of a twin of kind `holon`, as its node adds them up."""
    asked_w, ready_w = twin["requested_w"] or 0.0, twin["produced_w"] or 0.0
    consumed_w = min(twin["consumed_w"], asked_w)
    left_w = max(0.0, ready_w - twin["reserved_w"] + twin["offered_w"])
    return [asked_w, ready_w, consumed_w, twin["supplied_w"], asked_w - consumed_w, left_w]


def gossip_line(name: str, scope: str, told: dict[str, Any]) -> str:
    """What a scope of a node has sent, received, merged and refused, and what it gains by that."""
    sent, received, gain = told["sent"], told["received"], told["gain"]["all"]
    refused = sum(told["refused"].values())
    line = (
        f"gossip {name} {scope}: models sent {sent['models']} ({told['bytes']['sent']:,} B), "
        f"received {received['models']}; predictions {sent['predictions']}/{received['predictions']}; "
        f"merged {told['merged']}, adopted {told['adopted']}, refused {refused}"
    )
    if not gain["n"]:
        return f"{line}; gain not known yet"
    return f"{line}; log loss {gain['log_loss']:.3f}, alone {gain['own_log_loss']:.3f}"


def power_range(limits_w: list[float], state: int) -> str:
    """The powers of a state (1 to 7), such as "1,200-1,800"; `limits_w`: upper limits of the first six."""
    if state == 1:
        return "0"
    if state > len(limits_w):
        return f"above {limits_w[-1]:,.0f}"
    low_w = limits_w[state - 2] if state > 2 else 0.0
    return f"{low_w:,.0f}-{limits_w[state - 1]:,.0f}"


def follow(watch: Watch, seconds: float | None, title: Callable[[float], str], console: Console) -> None:
    """Poll and display once a second, for `seconds` or forever; Ctrl-C ends it early.

    `title` is given the seconds that have passed. The view has a screen of its own, so that nothing of it
    stays behind when the terminal changes its size or the run ends.
    """
    began_s = time.monotonic()
    printed_s = float("-inf")
    live = Live(console=console, auto_refresh=False, screen=True) if console.is_terminal else None
    interrupted = False
    try:
        if live:
            live.start()
        while seconds is None or time.monotonic() - began_s < seconds:
            watch.look()
            elapsed_s = time.monotonic() - began_s
            if live:
                live.update(_view(watch, title(elapsed_s), console.width), refresh=True)
            elif elapsed_s - printed_s >= _LINE_EVERY_S:
                printed_s = elapsed_s
                print(watch.lines(f"{elapsed_s:6.1f}s"), flush=True)
            left_s = 1.0 if seconds is None else min(1.0, began_s + seconds - time.monotonic())
            time.sleep(max(0.0, left_s))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        if live:
            live.stop()
    if interrupted:
        print("stopping ...", file=sys.stderr)


def _view(watch: Watch, title: str, width: int) -> RenderableType:
    parts: list[RenderableType] = [watch.table(title, width)]
    if watch.gossip:
        parts.append(Text("\n".join(watch.gossip)))
    if watch.prediction:
        parts.append(Text(watch.prediction, style="italic"))
    addresses = Text(watch.addresses(), style="dim", no_wrap=True, overflow="ellipsis")
    return Group(*parts, Text(""), addresses, Text("stop with Ctrl-C", style="dim"))
