"""Changes to a running node: twins are added, changed, stopped, started again and removed, links are cut and
added. Each is kept over a restart, and is an event with who did it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from ..config.changes import Overlay
from ..config.check import ConfigError
from ..config.options import SECTIONS
from ..option import options_of, shown
from .answer import Problem, Reply
from .body import refused
from .context import Context
from .node import Twin, twin_answer

if TYPE_CHECKING:
    from ..config.changes import Changes
    from ..node import Node

_FIXED = ("name", "kind", "input", "production_input", "battery_input", "connection", "relay")
TWIN = SECTIONS["twin"].options
TWIN_CHANGE = tuple(option for option in TWIN if option.key not in _FIXED)
NEIGHBOUR = tuple(option for option in SECTIONS["neighbour"].options if option.key != "name")
Edit = Callable[["Changes"], Overlay]
_SECTIONS = {"twin": "twin", "link": "neighbour"}  # of the configuration, by role
_PLACE = re.compile(r"(twin|neighbour)\[(\d+)\]\.(.+)")  # of a key in the configuration


class Change(TypedDict):
    """What the node holds now."""

    name: str
    kept: Annotated[bool, "also after a restart"]


def add_twin(context: Context, body: dict[str, Any]) -> Reply[Twin]:
    """Answers POST /twins. Raises Problem."""
    name = body["name"]

    def edit(changes: "Changes") -> Overlay:
        if any(twin.name == name for twin in changes.config.twins):
            raise refused([mistake("name", name, "there is a twin of this name already")], 409)
        return replace(changes.overlay, added={**changes.overlay.added, name: body})

    carry_out(context, edit, name, "added", "twin")
    answer = _twin(context, name)
    return Reply(answer, 201, headers=(("Location", f"/api/v1/twins/{name}"),))


def twin(context: Context, name: str) -> Twin:
    """Answers /twins/NAME. Raises Problem."""
    return _twin(context, _own(context, name))


def change_twin(context: Context, name: str, body: dict[str, Any]) -> Twin:
    """Answers PATCH /twins/NAME. Raises Problem."""
    name = _own(context, name)

    def edit(changes: "Changes") -> Overlay:
        _check_known(changes, name)
        changed = changes.overlay.changed
        return replace(changes.overlay, changed={**changed, name: {**changed.get(name, {}), **body}})

    carry_out(context, edit, name, "changed", "twin", ", ".join(body))
    return _twin(context, name)


def remove_twin(context: Context, name: str) -> Change:
    """Answers DELETE /twins/NAME. Raises Problem."""
    name = _own(context, name)

    def edit(changes: "Changes") -> Overlay:
        _check_known(changes, name)
        if changes.in_file("twin", name):
            reason = "is in the configuration file: stop it, or remove it there"
            raise refused([mistake("name", name, reason)], 409)
        overlay = changes.overlay
        return replace(
            overlay,
            added=_without(overlay.added, name),
            changed=_without(overlay.changed, name),
            stopped=tuple(each for each in overlay.stopped if each != name),
        )

    carry_out(context, edit, name, "removed", "twin")
    return {"name": name, "kept": True}


def stop_twin(context: Context, name: str) -> Twin:
    """Answers POST /twins/NAME/stop. Raises Problem."""
    name = _own(context, name)

    def edit(changes: "Changes") -> Overlay:
        _check_known(changes, name)
        others = (each for each in changes.overlay.stopped if each != name)
        return replace(changes.overlay, stopped=(*others, name))

    carry_out(context, edit, name, "stopped", "twin")
    return _twin(context, name)


def restart_twin(context: Context, name: str) -> Twin:
    """Answers POST /twins/NAME/restart. Raises Problem."""
    name = _own(context, name)

    def edit(changes: "Changes") -> Overlay:
        _check_known(changes, name)
        stopped = tuple(each for each in changes.overlay.stopped if each != name)
        return replace(changes.overlay, stopped=stopped)

    def restart(node: "Node") -> None:
        if found := node.prosumer(name):
            found.restart()

    carry_out(context, edit, name, "restarted", "twin", done=restart)
    return _twin(context, name)


@dataclass(frozen=True)
class TwinsBody:
    """Whom an order concerns."""

    twins: Annotated[str, "names of twins with commas between them; empty: all, and learning pauses"] = ""


TWINS = options_of(TwinsBody)


def stop_twins(context: Context, body: dict[str, Any]) -> list[Twin]:
    """Answers POST /stop. Raises Problem."""

    def edit(changes: "Changes") -> Overlay:
        names = _named(changes, body)
        return replace(changes.overlay, stopped=tuple(dict.fromkeys((*changes.overlay.stopped, *names))))

    return _order(context, edit, body, "stopped")


def restart_twins(context: Context, body: dict[str, Any]) -> list[Twin]:
    """Answers POST /restart. Raises Problem."""

    def edit(changes: "Changes") -> Overlay:
        names = _named(changes, body)
        stopped = tuple(each for each in changes.overlay.stopped if each not in names)
        return replace(changes.overlay, stopped=stopped)

    def restart(node: "Node") -> None:
        names = _split(body)
        for each in node.prosumers:
            if not names or each.short_name in names:
                each.restart()

    return _order(context, edit, body, "restarted", restart)


def put_neighbour(context: Context, name: str, body: dict[str, Any]) -> Change:
    """Answers PUT /neighbours/NAME. Raises Problem."""

    def edit(changes: "Changes") -> Overlay:
        table = {"name": name, **body}
        return replace(changes.overlay, neighbours={**changes.overlay.neighbours, name: table})

    carry_out(context, edit, name, "added", "link")
    return {"name": name, "kept": True}


def cut_neighbour(context: Context, name: str) -> Change:
    """Answers DELETE /neighbours/NAME. Raises Problem."""

    def edit(changes: "Changes") -> Overlay:
        if all(each.name != name for each in changes.config.neighbours):
            raise Problem(404, f"{name} is no neighbour of this node")
        kept = _without(changes.overlay.neighbours, name)
        if changes.in_file("neighbour", name):
            kept[name] = None
        return replace(changes.overlay, neighbours=kept)

    carry_out(context, edit, name, "removed", "link")
    return {"name": name, "kept": True}


# ---- also for the configuration ------------------------------------------------------------------


def carry_out(
    context: Context,
    edit: Edit,
    name: str,
    kind: str,
    role: str,
    details: str = "",
    done: Callable[["Node"], None] = lambda _: None,
) -> None:
    """Carry it out and note it. Raises Problem."""

    def note(node: "Node") -> None:
        done(node)
        subject = f"{node.config.name}{'>' if role == 'link' else '.'}{name}"
        node.note_change(subject, kind, role, details, context.caller.who)

    section = _SECTIONS.get(role, "")
    names: list[str] = []

    def edit_and_name(changes: "Changes") -> Overlay:
        overlay = edit(changes)
        names[:] = changes.names(overlay, section) if section else ()
        return overlay

    try:
        context.service.change(edit_and_name, note)
    except ConfigError as error:
        found = [
            mistake(_sent_key(key, section, names, name), value, reason)
            for key, value, reason in error.mistakes
        ]
        raise refused(found, 409) from None
    except OSError as error:
        raise Problem(503, f"the change cannot be kept, so it is not made: {error.strerror}") from None


def _sent_key(key: str, section: str, names: Sequence[str], name: str) -> str:
    """A key of the configuration as somebody knows it who sent one table of it: of that table the key
    alone, of another one its name in place of its number."""
    place = _PLACE.fullmatch(key)
    if place is None or place[1] != section or int(place[2]) >= len(names):
        return key
    other = names[int(place[2])]
    return place[3] if other == name else f"{section} {other}: {place[3]}"


def _split(body: dict[str, Any]) -> list[str]:
    return [name.strip() for name in body.get("twins", "").split(",") if name.strip()]


def _named(changes: "Changes", body: dict[str, Any]) -> list[str]:
    """The twins of an order; all where it names none. Raises Problem."""
    names = _split(body)
    for name in names:
        _check_known(changes, name)
    return names or [each.name for each in changes.config.twins]


def _order(
    context: Context,
    edit: Edit,
    body: dict[str, Any],
    kind: str,
    done: Callable[["Node"], None] = lambda _: None,
) -> list[Twin]:
    carry_out(context, edit, "all" if not _split(body) else body["twins"][:60], kind, "twin", done=done)
    return context.service.ask(lambda node: [twin_answer(node, each) for each in node.prosumers])


def _twin(context: Context, name: str) -> Twin:
    def look(node: "Node") -> Twin | None:
        found = node.prosumer(name)
        return twin_answer(node, found) if found else None

    if known := context.service.ask(look):
        return known
    raise _no_twin(name)


def _own(context: Context, name: str) -> str:
    """The name of a twin of this node without the node, which may stand before it. Raises Problem."""
    node, dot, short = name.rpartition(".")
    own = context.node.config.name
    if dot and node != own:
        raise Problem(404, f"{name} is a twin of node {node}; this is node {own}")
    if not context.caller.sees(f"{own}.{short}"):
        raise _no_twin(short)  # no word about twins of others
    return short


def _no_twin(name: str) -> Problem:
    return Problem(404, f"there is no twin {name}")


def _check_known(changes: "Changes", name: str) -> None:
    if all(each.name != name for each in changes.config.twins):
        raise _no_twin(name)


def _without(mapping: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key != name}


def mistake(key: str, value: object, reason: str) -> dict[str, Any]:
    return {"key": key, "value": None if value is None else shown(value), "reason": reason}
