"""What can be wrong with a node, as data: programs go by the code, people read the text."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..node import Node

CODES = {
    "clock_jumped": "The date jumped by an hour or more; nothing is deleted by it until it has held for 3 h.",
    "clock_not_set": "The date is before 2023: the clock is not set, and no minutes or events are kept.",
    "broker_unreachable": "The node is not connected to its own MQTT broker and receives no frames.",
    "neighbour_unreachable": "The node is not connected to the broker of a neighbour and sends it no frames.",
    "bus_closed": "The serial port of a meter bus cannot be opened; it is tried again.",
    "bus_silent": "Nothing on a meter bus answers; its port is closed and opened again, less and less often.",
    "foreign_frames": "A second master is on a meter bus, so readings are checked more strictly.",
    "power_refused": "A meter refuses the register of a power, so that input is undefined.",
    "meter_failing": "The last poll of a meter failed, so its readings are undefined; it is tried again.",
    "state_not_written": "The state file, which keeps contracts over a restart, could not be written.",
    "history_not_written": "The history file cannot be written; new rows are kept in memory, up to a limit.",
    "history_locked": "Another process has locked the history file; learning waits until it can be read.",
    "history_newer": "The history was written by a later release; it is kept, another is used.",
    "past_not_used": "A file of past minutes or of weather cannot be used; the text says why.",
    "model_damaged": "The file of a shipped model is damaged, so a model began to learn without it.",
    "learning_off": "The node crashed several times soon after its start and runs without learning.",
    "learning_failed": "A model raised an error; the text names it. Training is tried again later.",
    "twin_failed": "A twin raised an error; the text names it: a defect of the software.",
    "fallback_release": "Another release than the current one runs, because that is damaged or failed.",
    "invariant_broken": "A rule that contracts must always keep was broken: a defect of the software.",
}

SILENT_S = 120.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """`subject` names what is concerned: a neighbour, bus, meter, twin, or part of the node."""

    code: str
    subject: str
    text: str


def troubles(node: "Node") -> Iterator[Trouble]:
    """All that is wrong now; called from the main thread."""
    if reason := os.environ.get("EDGE_FALLBACK"):  # set by the launcher of a deployed node
        yield Trouble(
            "fallback_release", "release", f"another release runs in place of the current one: {reason}"
        )
    yield from _of_links(node)
    yield from _of_meters(node)
    if node.state_failures:
        yield Trouble("state_not_written", "state", "its state cannot be written")
    if node.history.failing:
        yield Trouble("history_not_written", "history", "its history cannot be written")
    if node.history.locked:
        yield Trouble("history_locked", "history", "its history is locked by another process")
    if node.history.later:
        yield Trouble("history_newer", "history", node.history.later)
    if node.learning_off:
        yield Trouble("learning_off", "learning", node.learning_off)
    yield from _of_clock(node)
    yield from _of_twins(node)
    if node.engine.faults:
        subject = node.engine.last_fault.partition(":")[0]
        yield Trouble("twin_failed", subject, f"a twin failed: {node.engine.last_fault}")
    if node.invariants_broken:
        name = node.config.name
        yield Trouble("invariant_broken", name, f"an invariant is broken: {node.last_violation}")


def _of_clock(node: "Node") -> Iterator[Trouble]:
    if not node.date.is_set:
        text = "its clock is not set: check that it reaches a time server; nothing is recorded until then"
        yield Trouble("clock_not_set", "clock", text)
    if node.date.jumped_s:
        hours = node.date.jumped_s / 3600
        text = f"its date jumped by {hours:+.1f} h: check it, and the time server, if nobody set it"
        yield Trouble("clock_jumped", "clock", text)


def _of_links(node: "Node") -> Iterator[Trouble]:
    links = node.links.stats()
    if not links["inbox"]["connected"]:
        yield Trouble("broker_unreachable", "broker", "its own broker cannot be reached")
    for name, link in links["neighbours"].items():
        if not link["connected"]:
            yield Trouble("neighbour_unreachable", name, f"neighbour {name} cannot be reached")


def _of_meters(node: "Node") -> Iterator[Trouble]:
    buses: list[dict[str, Any]] = node.meters.stats()
    for bus in buses:
        name = bus["bus"]
        if not bus["open"]:
            yield Trouble("bus_closed", name, f"bus {name} cannot be opened: {bus['port']}")
        if bus.get("silent_s", 0.0) > SILENT_S:
            minutes = bus["silent_s"] / 60
            yield Trouble("bus_silent", name, f"nothing on bus {name} has answered for {minutes:.0f} min")
        if bus.get("distrusted"):
            yield Trouble("foreign_frames", name, f"a second master asks on bus {name}: {bus['port']}")
        for meter in bus["meters"]:
            if meter["failures_in_a_row"]:
                device = meter["device"]
                yield Trouble("meter_failing", device, f"meter {device} does not answer correctly")
            refused = [key for key in meter.get("refused", ()) if key.endswith("power_w")]
            if refused:
                device = meter["device"]
                yield Trouble("power_refused", device, f"meter {device} refuses {', '.join(refused)}")


def _of_twins(node: "Node") -> Iterator[Trouble]:
    for twin in node.twins:
        for code, text in twin.troubles():
            yield Trouble(code, twin.name, text)
