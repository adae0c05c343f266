"""The configuration of a node: read key by key, checked, and changed where the node need not start again.

(thesis 5.5.1.) A change is kept as those of twins and links are, on top of the file, which is never written.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypedDict

from ..config.changes import RUNNING, Overlay
from ..config.options import SECTIONS
from .answer import Problem
from .body import refused
from .changes import carry_out, mistake
from .context import Context

Value = Annotated[str | int | float | None, "null: it has none"]


class Key(TypedDict):
    key: str
    type: Annotated[str, "whole number, number, text, or file or folder"]
    value: Value
    default: Annotated[str | int | float | None, "null: the file must state it"]
    changed: Annotated[bool, "while the node ran, on top of its file"]
    running: Annotated[bool, "may be changed while the node runs"]
    allowed: Annotated[str, "in words; empty: anything of its type"]
    meaning: str


class Table(TypedDict):
    section: str
    name: Annotated[str, "of this table of a repeated section; empty for the others"]
    repeated: bool
    keys: list[Key]


class Configuration(TypedDict):
    node: str
    tables: list[Table]
    refused: Annotated[list[str], "changes that were left out, as they contradict the file"]


class Checked(TypedDict):
    section: str
    changed: Annotated[list[str], "keys that have other values now, or would have"]
    kept: Annotated[bool, "also after a restart; false: it was only checked"]


CHECKED = tuple(
    name
    for name, section in SECTIONS.items()
    if not section.repeated and (name in RUNNING or not section.optional)
)
_ATTRIBUTES = {"mqtt": "inbox", "neighbour": "neighbours", "bus": "buses"}


def configuration(context: Context) -> Configuration:
    """Answers /configuration."""
    config = context.node.config
    changed = context.service.settings_changed
    tables: list[Table] = []
    for section, each in SECTIONS.items():
        for values in _values_of(config, section):
            keys: list[Key] = [
                {
                    "key": option.key,
                    "type": option.type_words,
                    "value": _plain(getattr(values, option.key)),
                    "default": None if option.required else _plain(option.default),
                    "changed": option.key in changed.get(section, {}),
                    "running": option.key in RUNNING.get(section, ()),
                    "allowed": option.mark.words if option.mark else "",
                    "meaning": option.meaning,
                }
                for option in each.options
            ]
            name = getattr(values, "name", "") if each.repeated else ""
            tables.append({"section": section, "name": name, "repeated": each.repeated, "keys": keys})
    return {"node": config.name, "tables": tables, "refused": context.node.changes_refused}


def change_section(section: str) -> Callable[..., Checked]:
    """The view that changes a section."""

    def change(context: Context, only_check: str, body: dict[str, Any]) -> Checked:
        """Answers PATCH /configuration/SECTION. Raises Problem."""
        checking = only_check == "yes"
        if SECTIONS[section].optional and not _values_of(context.node.config, section):
            reason = f"this node has no section [{section}]: write it into the file, and start the node again"
            raise Problem(409, reason)
        fixed = [key for key in body if key not in RUNNING.get(section, ())]
        if fixed and not checking:
            reason = "is read when the node starts: write it into the file, and start the node again"
            raise refused([mistake(f"{section}.{key}", body[key], reason) for key in fixed], 409)

        def edit(changes: Any) -> Overlay:
            settings = changes.overlay.settings
            overlay: Overlay = replace(
                changes.overlay, settings={**settings, section: {**settings.get(section, {}), **body}}
            )
            if checking:
                changes.checked(overlay)
                raise _OnlyChecked
            return overlay

        try:
            carry_out(context, edit, section, "changed", "setting", ", ".join(body))
        except _OnlyChecked:
            return {"section": section, "changed": list(body), "kept": False}
        if section == "api":
            context.access.reads = context.node.config.api.reads
        return {"section": section, "changed": list(body), "kept": True}

    return change


class _OnlyChecked(Exception):
    """The change is valid, and is not made."""


def _values_of(config: Any, section: str) -> list[Any]:
    """The settings of each table of a section."""
    if section in ("boundary", "gossip"):
        learning = config.learning
        found = getattr(learning, section) if learning else ()
    else:
        found = getattr(config, _ATTRIBUTES.get(section, section), None)
        if found is None and SECTIONS[section].repeated:
            found = getattr(config, f"{section}s")
    if found is None:
        return []
    return list(found) if isinstance(found, tuple) else [found]


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, Enum):
        return value.name.lower()
    return str(value) if isinstance(value, Path) else value
