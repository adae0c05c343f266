"""What was changed while the node ran, kept beside its file and applied on top of it at each start.

The file that people write is never touched. A change is valid if the configuration is valid with it, so the
same checks and words hold for both. At a start, a change that contradicts the file is left out, by name.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from ..files import InvalidToml, read_bytes, read_toml, replace_file
from .check import ConfigError, Row, build
from .settings import NodeConfig

log = logging.getLogger("edge")
FILE = "changes.json"
_MOST_BYTES = 1 << 18
RUNNING = {  # keys that a node can change while it runs, besides twins and links
    "node": ("log_level",),
    "history": ("days", "predictions_days", "quarters_days", "most_mb", "records_min"),
    "api": ("reads",),
    "community": (
        *("name", "energy_mix", "connection", "pricing", "sharing_key", "data", "comparison", "emergency"),
        *("management", "grid_operator", "response", "tolerance_wh", "spread_s", "newcomer_wh"),
        *("supply_weight", "withheld_weight", "consumption_weight", "equity_weight", "green_weight"),
        *("threshold_w", "flexibility", "base_w", "person_w", "m2_w"),
    ),
}


@dataclass(frozen=True, slots=True)
class Overlay:
    """Changes by name: tables of twins that were added, keys of twins that were changed, twins that were
    stopped, tables of neighbours, None for one that was cut off, and keys of other sections (`RUNNING`)."""

    added: Mapping[str, Row] = field(default_factory=dict)
    changed: Mapping[str, Row] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
    neighbours: Mapping[str, Row | None] = field(default_factory=dict)
    settings: Mapping[str, Row] = field(default_factory=dict)

    def applied(self, raw: Row) -> Row:
        """The tables of a file with these changes."""
        twins = [*raw.get("twin", ()), *self.added.values()]
        kept = [each for each in raw.get("neighbour", ()) if each.get("name") not in self.neighbours]
        new = [each for each in self.neighbours.values() if each is not None]
        result = {key: value for key, value in raw.items() if key not in ("twin", "neighbour")}
        if twins:
            result["twin"] = [each | self.changed.get(str(each.get("name")), {}) for each in twins]
        if kept or new:
            result["neighbour"] = [*kept, *new]
        for section, keys in self.settings.items():
            table = result.get(section, {})
            result[section] = {**table, **keys} if isinstance(table, dict) else table
        return result

    def single(self) -> Iterator[tuple[str, "Overlay"]]:
        """Each change alone, with its name."""
        for name, row in self.added.items():
            changed = {name: self.changed[name]} if name in self.changed else {}
            yield f"added twin {name}", Overlay(added={name: row}, changed=changed)
        for name, keys in self.changed.items():
            if name not in self.added:
                yield f"changed twin {name}", Overlay(changed={name: keys})
        for name, table in self.neighbours.items():
            yield f"neighbour {name}", Overlay(neighbours={name: table})
        for section, keys in self.settings.items():
            for key, value in keys.items():
                yield f"changed {section}.{key}", Overlay(settings={section: {key: value}})

    def joined(self, other: "Overlay") -> "Overlay":
        """Both."""
        return Overlay(
            {**self.added, **other.added},
            {**self.changed, **other.changed},
            (*self.stopped, *other.stopped),
            {**self.neighbours, **other.neighbours},
            {
                section: {**self.settings.get(section, {}), **other.settings.get(section, {})}
                for section in {**self.settings, **other.settings}
            },
        )


class Changes:
    """The file of a node, the changes on top of it, and the configuration that they make."""

    def __init__(self, raw: Row, file: str = "") -> None:
        """Raises ConfigError when the file alone is not valid."""
        self._raw, self._file = raw, file
        self.overlay = Overlay()
        self.config = build(raw, file)
        self.refused: list[str] = []  # changes that contradict the file
        self._path = self.config.state_dir / FILE
        self._restore(_read(self._path))

    @classmethod
    def load(cls, path: Path) -> "Changes":
        """Read the file and the changes. Raises ConfigError."""
        try:
            return cls(read_toml(path), str(path))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except InvalidToml as error:
            raise ConfigError(f"{path}: {error}") from None

    @property
    def folder(self) -> Path:
        """Where the file is."""
        return Path(self._file).parent

    def in_file(self, section: str, name: str) -> bool:
        """Whether the file itself has a table of that name."""
        return any(each.get("name") == name for each in self._raw.get(section, ()))

    def names(self, overlay: Overlay, section: str) -> list[str]:
        """The names of the tables of a section with other changes, in the order in which they are checked."""
        return [str(each.get("name")) for each in overlay.applied(self._raw).get(section, ())]

    def checked(self, overlay: Overlay) -> NodeConfig:
        """The configuration with other changes. Raises ConfigError."""
        return build(overlay.applied(self._raw), self._file)

    def keep(self, overlay: Overlay, config: NodeConfig) -> None:
        """Keep them from now on, also over a restart. Raises ConfigError for too many, OSError."""
        data = orjson.dumps(
            {
                "added": overlay.added,
                "changed": overlay.changed,
                "stopped": overlay.stopped,
                "neighbours": overlay.neighbours,
                "settings": overlay.settings,
            },
            option=orjson.OPT_INDENT_2,
        )
        if len(data) > _MOST_BYTES:  # it would not be read at the next start
            reason = f"takes {len(data):,} bytes with this change; all changes may take {_MOST_BYTES:,}"
            raise ConfigError(f"{self._path}: {reason}", [(FILE, None, reason)])
        replace_file(self._path, data)
        self.overlay, self.config = overlay, config

    def _restore(self, wanted: Overlay) -> None:
        try:
            self.config, self.overlay = self.checked(wanted), wanted
        except ConfigError:
            for what, change in wanted.single():
                self._restore_one(what, change)
        names = {twin.name for twin in self.config.twins}
        for name in wanted.changed.keys() - names:
            self._refuse(f"changed twin {name}", "there is no such twin")
        stopped = tuple(name for name in wanted.stopped if name in names)
        self.overlay = replace(self.overlay, stopped=stopped)

    def _restore_one(self, what: str, change: Overlay) -> None:
        overlay = self.overlay.joined(change)
        try:
            self.config, self.overlay = self.checked(overlay), overlay
        except ConfigError as error:
            self._refuse(what, str(error).partition("\n")[0])

    def _refuse(self, what: str, why: str) -> None:
        self.refused.append(f"{what}: {why}")
        log.error("the change is left out, as it contradicts the file: %s: %s", what, why)


def _read(path: Path) -> Overlay:
    """What was kept; nothing where that is not valid."""
    try:
        found = orjson.loads(read_bytes(path, _MOST_BYTES))
        overlay = Overlay(
            added=dict(found["added"]),
            changed=dict(found["changed"]),
            stopped=tuple(map(str, found["stopped"])),
            neighbours=dict(found["neighbours"]),
            settings=_running(found.get("settings", {})),
        )
        cut = (each for each in overlay.neighbours.values() if each is not None)
        if not all(
            isinstance(each, dict) for each in (*overlay.added.values(), *overlay.changed.values(), *cut)
        ):
            raise ValueError("a change is no table")
    except FileNotFoundError:
        return Overlay()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.error("%s: the changes cannot be read and are left out: %s", path, error)
        return Overlay()
    return overlay


def _running(settings: object) -> dict[str, Row]:
    """Those keys of `settings` that may be there. Raises ValueError, TypeError."""
    if not isinstance(settings, dict) or not all(isinstance(each, dict) for each in settings.values()):
        raise ValueError("a change is no table")
    found = {
        section: {key: each[key] for key in keys if key in each}
        for section, keys in RUNNING.items()
        if (each := settings.get(section))
    }
    return {section: keys for section, keys in found.items() if keys}
