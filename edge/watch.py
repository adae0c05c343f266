"""What a node looks at now and then: counters of what goes wrong, and links on which nothing passes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from .recent import Recent

if TYPE_CHECKING:
    from .net.gateway import Gateway
    from .net.links import Links
    from .twins.prosumer import ProsumerTwin
    from .twins.twin import Twin

LOOK_TICKS = 10


def note_counters(
    recent: Recent, gateway: "Gateway", links: "Links", twins: "Iterable[Twin]", now_s: float
) -> None:
    """Note how they stand."""
    stats = gateway.stats()
    for name in ("refused", "no_room", "too_large", "reincarnations"):
        recent.note(name, stats[name], now_s)
    for peer, count in stats["reminders"].items():
        recent.note(f"lives of {peer}", count, now_s)
    recent.note("properties", sum(twin.waiting_dropped for twin in twins), now_s)
    recent.note("messages", links.stats()["inbox"]["refused"], now_s)
    for twin in twins:
        if twin.kind == "prosumer":
            recent.note(twin.name, cast("ProsumerTwin", twin).refused_messages, now_s)


def renew_links(links: "Links", gateway: "Gateway") -> None:
    """What helps only after a restart is done without one: connect again where nothing passes."""
    hearing = gateway.hearing
    due = hearing.to_renew()
    for peer in due:
        links.renew(peer)
    if due and set(hearing.silent) == set(links.neighbours):  # perhaps its own broker is the reason
        links.renew_inbox()
