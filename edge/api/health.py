"""Whether a node is well: its troubles, and every counter of what was refused, dropped or undefined."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from .. import __version__
from .context import Context
from .troubles import Trouble, troubles, troubles_of_service, warnings

if TYPE_CHECKING:
    from ..node import Node


class Neighbour(TypedDict):
    connected: bool
    sent_frames: int
    sent_bytes: Annotated[int, "whole MQTT packets"]
    dropped: Annotated[int, "frames that were not sent"]
    reconnects: int
    trouble: Annotated[str, "why it is not connected; empty when it is"]
    taken_over: Annotated[bool, "another client uses the name of this node at that broker"]
    delivery: Annotated[str, "why its broker does not deliver what this node sends; empty: it does"]


class Inbox(TypedDict):
    connected: Annotated[bool, "to the node's own broker, and subscribed"]
    received_frames: int
    received_bytes: int
    refused: Annotated[int, "frames that never reached the node"]
    trouble: Annotated[str, "why it is not connected; empty when it is"]
    taken_over: Annotated[bool, "another client uses the name of this node there"]
    delivery: Annotated[str, "why it refuses the subscription; empty: it does not"]


class Certificate(TypedDict):
    name: Annotated[str, "ca, certificate, crl, or that of a neighbour's broker"]
    days_left: Annotated[float, "negative when it has expired"]
    begun: Annotated[bool, "false: it is not valid yet, or the clock of this node is wrong"]


class Links(TypedDict):
    inbox: Inbox
    neighbours: Annotated[dict[str, Neighbour], "by name"]
    certificates: list[Certificate]


class Gateway(TypedDict):
    absorbed: Annotated[int, "LSAs taken from frames"]
    refused: Annotated[int, "invalid frames and LSAs"]
    refusals: Annotated[dict[str, dict[str, int]], "the same by neighbour and reason"]
    no_room: Annotated[int, "LSAs that found the space full"]
    too_large: Annotated[int, "LSAs that fit no frame"]
    healed: Annotated[int, "requests for LSAs that had been lost"]
    without_base: Annotated[int, "changes of LSAs that were not held, so that the whole was asked for"]
    last_refusal: Annotated[str, "why the last frame was refused"]
    reincarnations: Annotated[int, "how often others remembered a later life of this node"]
    reminders: Annotated[dict[str, int], "how often a neighbour showed an earlier life than before, by name"]
    silent: Annotated[list[str], "neighbours of which no frames arrive"]
    deaf: Annotated[list[str], "neighbours that say that no frames of this node arrive there"]
    strangers: Annotated[list[str], "nodes that send frames here and are no neighbours of this node"]
    flooding: Annotated[list[str], "neighbours of which frames were dropped, as they sent too many"]
    restless: Annotated[list[str], "nodes that change what they show so often that not all is taken"]
    other_versions: Annotated[dict[str, str], "neighbours that speak another wire version, by name"]


class Trust(TypedDict):
    authentic: Annotated[bool, "whether the node has keys; false: it believes all that it is told"]
    cluster: Annotated[str, "microgrid whose authority signed its identity"]
    serial: Annotated[int, "number of its certificate"]
    ends_s: Annotated[int, "when its certificate expires, in Unix time"]
    date_known: Annotated[bool, "whether certificates are judged by their dates"]
    members: Annotated[list[str], "nodes whose certificate has been verified"]
    revocations: Annotated[int, "number of the newest list of revoked identities; 0: none has been seen"]
    revoked: Annotated[list[str], "nodes on that list"]
    refused: Annotated[dict[str, int], "what was not believed, by reason"]


class Device(TypedDict):
    device: str
    reads: int
    good: int
    errors: Annotated[dict[str, int], "by kind"]
    failures_in_a_row: int
    retry_in_s: float


class Meter(Device):
    refused: Annotated[list[str], "registers that it does not have, so they are left out"]
    undefined_powers: Annotated[list[str], "powers without a possible value in its last answer"]


class Relay(Device):
    wanted: Annotated[bool | None, "null: never switched"]
    actual: Annotated[bool | None, "as read back; null: unknown"]
    pending: bool
    superseded: Annotated[int, "switchings replaced by a later one before they were carried out"]


class Bus(TypedDict):
    bus: str
    port: str
    open: bool
    trouble: Annotated[str, "why it is closed; empty while it is open"]
    port_losses: int
    port_failures_in_a_row: int
    late_answers: Annotated[int, "how often bytes were on the line before a request"]
    foreign_frames: Annotated[int, "frames of a second master"]
    distrusted: Annotated[bool, "whether there were some in the last ten minutes"]
    reopened: Annotated[int, "how often the port was opened again because nothing answered"]
    silent_s: Annotated[float, "how long nothing has answered; 0 while something does"]
    delivery_errors: int
    meters: list[Meter]
    relays: list[Relay]


class Member(TypedDict):
    refused: Annotated[int, "claims beyond what it may claim: such requests, and contracts without an offer"]
    unused: Annotated[int, "offers not taken, contracts not validated or hardly used"]
    unkept: Annotated[int, "its offers that it did not honour, as a supplier"]
    held_back: Annotated[int, "requests that got no offer for a while, as it does not use its offers"]
    doubted_s: Annotated[float, "how much longer it comes last; 0: it does not"]


class Health(TypedDict):
    status: Annotated[Literal["ok", "degraded"], "degraded when there are troubles"]
    troubles: list[Trouble]
    warnings: Annotated[list[Trouble], "what works as configured and should be known all the same"]
    node: str
    version: Annotated[str, "of the software"]
    release: Annotated[str, "that was deployed; empty when started by hand"]
    uptime_s: float
    rss_mb: Annotated[float | None, "resident memory now; 1 MB is 2**20 bytes; null: cannot be read"]
    hwm_mb: Annotated[float | None, "resident memory at its peak"]
    reactions: int
    longest_reaction_ms: Annotated[
        float | None,
        "the latest reaction of the last 10 to 20 s, from its cause to its end; null: there was none",
    ]
    readings: int
    readings_undefined: int
    faults: Annotated[int, "errors raised by twins"]
    failures: Annotated[int, "errors raised in a step of the main loop"]
    dropped: Annotated[dict[str, int], "what found a queue full, by queue: frames, links, readings, limits"]
    state_failures: Annotated[int, "failed writes of the state file"]
    invariants_checked: int
    invariants_broken: int
    gateway: Gateway
    links: Links
    trust: Trust
    members: Annotated[dict[str, Member], "other nodes, by what they did with promises"]
    unknown: Annotated[list[str], "twins whose device has no valid reading"]
    meters: list[Bus]


def health(context: Context) -> Health:
    """Answers /health."""
    node = context.node
    found = [*troubles(node), *troubles_of_service(context.service)]
    rss_mb, hwm_mb = _memory_mb()
    gateway: Any = node.gateway.stats()
    links: Any = node.links.stats()
    trust: Any = node.trust.stats()
    meters: Any = node.meters.stats()
    longest_s = context.service.longest_reaction_s
    return {
        "status": "degraded" if found else "ok",
        "troubles": found,
        "warnings": list(warnings(node)),
        "node": node.config.name,
        "version": __version__,
        "release": context.release,
        "uptime_s": round(node.uptime_s, 1),
        "rss_mb": rss_mb,
        "hwm_mb": hwm_mb,
        "reactions": node.engine.reactions,
        "longest_reaction_ms": None if longest_s is None else round(1000 * longest_s, 1),
        "readings": node.readings,
        "readings_undefined": node.readings_undefined,
        "faults": node.engine.faults,
        "failures": context.service.failures,
        "dropped": context.service.dropped,
        "state_failures": node.state_failures,
        "invariants_checked": node.invariants_checked,
        "invariants_broken": node.invariants_broken,
        "gateway": gateway,
        "links": links,
        "trust": trust,
        "members": {
            name: {
                "refused": each.refused,
                "unused": each.unused,
                "unkept": each.unkept,
                "held_back": each.held_back,
                "doubted_s": round(max(0.0, each.doubted_until_s - node.now_s()), 1),
            }
            for name, each in node.members
        },
        "unknown": node.unknown,
        "meters": meters,
    }


def status_line(node: "Node") -> str:
    """What it does, in a few words that rarely change, for the service manager."""
    neighbours = node.links.stats()["neighbours"]
    not_heard = {*node.gateway.hearing.silent, *node.gateway.hearing.deaf}
    up = sum(each["connected"] and name not in not_heard for name, each in neighbours.items())
    return f"{node.config.name}: {len(node.prosumers)} twins, {up} of {len(neighbours)} neighbours in reach"


def _memory_mb() -> tuple[float | None, float | None]:
    """Resident memory of this process, now and at its peak, in MB (2**20 bytes); None: not known."""
    found: dict[str, float] = {}
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                key, _, value = line.partition(":")
                if key in ("VmRSS", "VmHWM"):
                    found[key] = round(int(value.split()[0]) / 1024, 2)
    except OSError:  # too many open files
        pass
    return found.get("VmRSS"), found.get("VmHWM")
