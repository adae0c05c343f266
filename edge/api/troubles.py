"""What can be wrong with a node, as data: programs go by the code, people read the text."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .access import is_local

if TYPE_CHECKING:
    from ..node import Node
    from .context import Service

_WARN_DAYS = 30
_MANY_REMINDERS = 5  # in a few minutes
_MANY_LAPSES = 2  # in a few minutes; one is repaired
_CLAIMS_S = 300.0
_MANY_LIVES = 3  # in a few minutes; a node that lost its memory needs one

CODES = {
    "api_without_tls": "The HTTP interface listens beyond loopback without TLS. A warning: it works.",
    "change_refused": "A change that was made while the node ran contradicts its file, so it is left out.",
    "clock_jumped": "The date jumped by an hour or more; nothing is deleted by it until it has held for 3 h.",
    "clock_not_set": "The date is before 2023: the clock is not set, and no minutes or events are kept.",
    "broker_unreachable": "The node is not connected to its own MQTT broker and receives no frames.",
    "inbox_refused": "The node's own broker refuses its subscription, so no frames arrive.",
    "neighbour_unreachable": "The node is not connected to the broker of a neighbour and sends it no frames.",
    "neighbour_silent": "A neighbour is connected, but no frames of it arrive.",
    "neighbour_deaf": "A neighbour is connected, but what this node sends does not arrive there.",
    "neighbour_unlisted": "A node sends frames to this one, which does not list it as a neighbour.",
    "identity_conflict": "Another node or process uses the name of this node.",
    "identity_refused": "Other nodes do not believe this one: its identity was revoked or has expired.",
    "keys_unusable": "New key files cannot be used, so the node keeps those that it has read before.",
    "no_trust": "The node has no keys, so anybody who reaches it can lie to it. A warning: it works.",
    "list_unusable": "A list of revoked nodes or certificates cannot be used; the one before stays in force.",
    "certificate_ending": "A certificate expires within 30 days, has expired, or is not valid yet.",
    "frames_refused": "Frames or messages were refused in the last minutes: damaged or not allowed.",
    "neighbour_flooding": "A node sends or changes more than this one can bear, or sends forged signatures.",
    "wire_version": "A neighbour speaks another version of the wire, so its frames are refused.",
    "no_room": "LSAs or properties found no room in the tuple space in the last minutes.",
    "items_dropped": "A queue of the node was full, so frames or readings were dropped in the last minutes.",
    "bus_closed": "The serial port of a meter bus cannot be opened; it is tried again.",
    "bus_silent": "Nothing on a meter bus answers; its port is closed and opened again, less and less often.",
    "foreign_frames": "A second master is on a meter bus, so readings are checked more strictly.",
    "power_undefined": "A meter answers, but a power in its answer is not a number, or impossible.",
    "power_refused": "A meter refuses the register of a power, so that input is undefined.",
    "meter_failing": "The last poll of a meter failed, so its readings are undefined; it is tried again.",
    "relay_failing": "A relay does not answer or does not obey, so its device may be on or off.",
    "device_unknown": "A device has no valid reading; its power is unknown and counts in no total.",
    "wrong_sign": "A meter persistently shows the opposite of what its device can do.",
    "member_in_doubt": "Another node wastes or breaks promises, or claims more than it may; it comes last.",
    "need_unserved": "A device waits for power though its own node has enough of it free.",
    "state_not_written": "The state file, which keeps contracts over a restart, could not be written.",
    "history_not_written": "The history file cannot be written; new rows are kept in memory, up to a limit.",
    "history_locked": "Another process has locked the history file; learning waits until it can be read.",
    "history_newer": "The history was written by a later release; it is kept, another is used.",
    "past_not_used": "Past minutes, weather or a forecast of others cannot be used; the text says why.",
    "model_damaged": "The file of a shipped model is damaged, so a model began to learn without it.",
    "market_absent": "The market of the next day has not been there for ten minutes; nothing is ordered.",
    "gate_closed": "The other side of a gate between two microgrids does not work, so nothing passes.",
    "prices_unknown": "Day-ahead prices cannot be read, or have ended, so fixed prices hold meanwhile.",
    "limit_exceeded": "An external limit is exceeded, and nothing is left that may be switched off for it.",
    "limit_in_force": "The operator of the grid limits what is drawn or fed in. A warning: it is obeyed.",
    "failsafe_in_force": "The controller of limits is silent, so the failsafe limits hold. A warning.",
    "learning_off": "The node crashed several times soon after its start and runs without learning.",
    "home_assistant_away": "The broker for Home Assistant is not connected, or refuses its topics.",
    "push_failing": "The history cannot be sent to its database; it is kept and sent later.",
    "learning_failed": "A model raised an error; the text names it. Training is tried again later.",
    "gossip_refused": "A message of a neighbour with its model or prediction is damaged, stale or too much.",
    "models_do_not_fit": "A neighbour has another model or limits: a warning, its predictions are used.",
    "twin_absent": "A twin has lost its LSA, or loses it again and again, because it does not renew it.",
    "step_failed": "A step of the main loop failed in the last minutes: a defect of the software.",
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
    yield from _of_hearing(node)
    yield from _of_identity(node)
    yield from _of_certificates(node)
    for code, text in node.trust.troubles():
        yield Trouble(code, "identity", text)
    yield from _of_counters(node)
    yield from _of_members(node)
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
    for outlet in node.outlets:
        for code, subject, text in outlet.troubles():
            yield Trouble(code, subject, text)
    yield from _of_clock(node)
    yield from _of_twins(node)
    if node.engine.faults:
        subject = node.engine.last_fault.partition(":")[0]
        yield Trouble("twin_failed", subject, f"a twin failed: {node.engine.last_fault}")
    for text in node.changes_refused:
        name = text.partition(":")[0]
        yield Trouble("change_refused", name, f"a change contradicts the file and is left out: {text}")
    if node.invariants_broken:
        name = node.config.name
        yield Trouble("invariant_broken", name, f"an invariant is broken: {node.last_violation}")


def warnings(node: "Node") -> Iterator[Trouble]:
    """What its owner should know though it works as it was configured."""
    api = node.config.api
    if api.port and node.config.tls is None and not is_local(api.host):
        text = f"its HTTP interface listens at {api.host} without TLS: tokens can be read on the way"
        yield Trouble("api_without_tls", "api", text)
    if not node.trust.authentic:
        text = (
            "it has no keys, no section [trust]: anybody who reaches it can lie to it and read what it sends"
        )
        yield Trouble("no_trust", node.config.name, text)
    for twin in node.twins:
        for code, text in twin.warnings():
            yield Trouble(code, twin.name, text)


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
    inbox = links["inbox"]
    if inbox["delivery"]:
        text = f"its own broker refuses the subscription: {inbox['delivery']}"
        yield Trouble("inbox_refused", "broker", f"{text}; does its access list let this node read?")
    elif not inbox["connected"]:
        why = _because(inbox["trouble"])
        yield Trouble("broker_unreachable", "broker", f"its own broker cannot be reached{why}")
    for name, link in links["neighbours"].items():
        if not link["connected"]:
            why = _because(link["trouble"])
            yield Trouble("neighbour_unreachable", name, f"neighbour {name} cannot be reached{why}")


def _because(trouble: str) -> str:
    return f": {trouble}" if trouble else ""


def _of_hearing(node: "Node") -> Iterator[Trouble]:
    """Of neighbours whose brokers can be reached; for the others that is trouble enough."""
    own, hearing = node.config.name, node.gateway.hearing
    for name, link in node.links.stats()["neighbours"].items():
        if not link["connected"]:
            continue
        if name in hearing.silent:
            hint = f"does its node run, and does it list {own} as a neighbour?"
            yield Trouble("neighbour_silent", name, f"nothing arrives from neighbour {name}: {hint}")
        if link["delivery"]:
            text = f"the broker of {name} refuses what this node sends: {link['delivery']}"
            yield Trouble("neighbour_deaf", name, f"{text}; does its access list name {own}?")
        elif name in hearing.deaf:
            hint = f"does the access list of its broker let {own} publish?"
            yield Trouble("neighbour_deaf", name, f"nothing of this node arrives at {name}: {hint}")
    for name in hearing.strangers:
        text = f"{name} sends to this node, which does not list it as a neighbour"
        yield Trouble("neighbour_unlisted", name, text)


def _of_identity(node: "Node") -> Iterator[Trouble]:
    name, links = node.config.name, node.links.stats()
    at = [f"the broker of {peer}" for peer, link in links["neighbours"].items() if link["taken_over"]]
    at += ["its own broker"] if links["inbox"]["taken_over"] else []
    lives = node.recent.growth("reincarnations", node.now_s())
    if at or lives >= _MANY_LIVES:
        where = f" at {', '.join(at)}" if at else ""
        text = f"another node or process also uses the name {name}{where}: is there a copy of its card?"
        yield Trouble("identity_conflict", name, text)
    for peer in links["neighbours"]:
        if node.recent.growth(f"lives of {peer}", node.now_s()) >= _MANY_REMINDERS:
            text = f"two nodes seem to use the name {peer}: is there a copy of its card?"
            yield Trouble("identity_conflict", peer, text)


def _of_certificates(node: "Node") -> Iterator[Trouble]:
    for each in node.links.stats()["certificates"]:
        name, days = each["name"], each["days_left"]
        if not each["begun"]:
            text = f"{name} is not valid yet: is the clock of this node right?"
        elif days < 0:
            text = f"{name} has expired {-days:.0f} days ago: provision the node again"
        elif days < _WARN_DAYS:
            text = f"{name} expires in {days:.0f} days: provision the node again"
        else:
            continue
        yield Trouble("certificate_ending", name, text)
    stats = node.links.stats()
    if fault := stats.get("tls_fault"):
        yield Trouble("keys_unusable", "tls", f"{fault}; the TLS files in use are kept")
    if fault := stats.get("list_fault"):
        yield Trouble("list_unusable", "crl", f"{fault}; the list before stays in force")


def _of_counters(node: "Node") -> Iterator[Trouble]:
    now_s, gateway = node.now_s(), node.gateway
    if count := node.recent.growth("no_room", now_s):
        text = f"{count} LSAs found no room: {gateway.last_refusal}; are the [limits] too small?"
        yield Trouble("no_room", "space", text)
    if count := node.recent.growth("properties", now_s):
        text = f"{count} properties of its own twins found no room; are the [limits] too small?"
        yield Trouble("no_room", node.config.name, text)
    for peer, lacking in gateway.allowances.flooding.items():
        yield Trouble("neighbour_flooding", peer, f"frames of {peer} are dropped: it sends {lacking}")
    for origin in gateway.allowances.restless:
        text = f"{origin} changes what it shows too often: its changes are taken more slowly"
        yield Trouble("neighbour_flooding", origin, text)
    for peer, text in gateway.other_versions.items():
        yield Trouble("wire_version", peer, f"{peer} {text}: give both the same release")
    if count := node.recent.growth("refused", now_s):
        yield Trouble("frames_refused", "frames", f"{count} frames refused: {gateway.last_refusal}")
    if count := node.recent.growth("too_large", now_s):
        yield Trouble("frames_refused", "outbox", f"{count} LSAs are too large for a frame")
    if count := node.recent.growth("messages", now_s):
        yield Trouble("frames_refused", "inbox", f"{count} MQTT messages refused: wrong topic or size")
    for twin in node.prosumers:
        if count := node.recent.growth(twin.name, now_s):
            yield Trouble("frames_refused", twin.name, f"{count} invalid messages of other twins refused")


def _of_members(node: "Node") -> Iterator[Trouble]:
    """Of members that this node hears and is heard by: on a one-sided link nobody can keep promises."""
    now_s, hearing = node.now_s(), node.gateway.hearing
    cut_off = {*hearing.silent, *hearing.deaf, *hearing.strangers}
    for name, member in node.members:
        if name in cut_off:
            continue
        if now_s - member.held_back_s < _CLAIMS_S:
            text = f"{name} requests without using what it is offered: it gets fewer offers"
            yield Trouble("neighbour_flooding", name, text)
        found = []
        if now_s - member.refused_s < _CLAIMS_S:
            found.append(f"{member.refused} claims beyond what it may claim were refused")
        if now_s < member.doubted_until_s:
            found.append(
                f"it comes last, since it did not use {member.unused} promises or keep {member.unkept}"
            )
        if found:
            yield Trouble("member_in_doubt", name, f"{name}: {'; '.join(found)}")


def troubles_of_service(service: "Service") -> Iterator[Trouble]:
    """What is wrong with the process around the node."""
    now_s = service.node.now_s()
    for queue in service.dropped:
        if count := service.recent.growth(queue, now_s):
            yield Trouble("items_dropped", queue, f"{count} {queue} dropped: the node is too slow for them")
    if count := service.recent.growth("failures", now_s):
        yield Trouble("step_failed", "loop", f"{count} steps of the main loop failed; see the log")


def _of_meters(node: "Node") -> Iterator[Trouble]:
    buses: list[dict[str, Any]] = node.meters.stats()
    for bus in buses:
        name = bus["bus"]
        if not bus["open"]:
            why = _because(bus.get("trouble", ""))
            yield Trouble("bus_closed", name, f"bus {name} cannot be opened: {bus['port']}{why}")
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
            if undefined := meter.get("undefined_powers"):
                device = meter["device"]
                text = f"meter {device} answers without a possible value of {', '.join(undefined)}"
                yield Trouble("power_undefined", device, text)
        for relay in bus.get("relays", ()):
            if relay["failures_in_a_row"]:
                device = relay["device"]
                yield Trouble("relay_failing", device, f"relay {device} does not answer or does not obey")


def _of_twins(node: "Node") -> Iterator[Trouble]:
    for twin in node.twins:
        lapses = node.recent.growth(f"lapses of {twin.name}", node.now_s())
        if twin.handle and lapses >= _MANY_LAPSES:
            text = f"twin {twin.name} has lost its LSA {lapses} times, and its contracts with it"
            yield Trouble("twin_absent", twin.name, text)
        for code, text in twin.troubles():
            yield Trouble(code, twin.name, text)
