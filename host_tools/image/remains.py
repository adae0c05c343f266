"""The state of a trial's card after a power cut: the file system, the node's state and its history.

Everything is read from a copy of the data partition after its journal has been replayed, as at the next boot.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.history.schema import VERSION
from edge.state import SLOTS, read_slot

from ..setup.debs import SetupError, run
from .disk import CardLayout

_STATE = "/edge/state"
_HISTORY = ("history.sqlite", "history.sqlite-wal")


@dataclass(frozen=True, slots=True)
class Remains:
    """The result of e2fsck, the saved state and when it was saved, and the minutes of the history."""

    verdict: str
    state_written_s: float  # since 1970, by the node's clock
    memory: dict[str, Any]
    minutes: frozenset[int]  # since 1970, in the scope `node`


def remains(card: Path, work: Path) -> Remains:
    """Examine a card after a power cut. Raises SetupError if anything on it is damaged."""
    partition, file = CardLayout().data, work / "data.ext4"
    run(["dd", f"if={card}", f"of={file}", "bs=1M", f"skip={partition.start_mib}", "conv=sparse"])
    try:
        run(["e2fsck", "-E", "journal_only", "-p", str(file)])
        verdict = run(["e2fsck", "-f", "-n", str(file)]).strip().splitlines()[-1]
        slots = [run(["debugfs", "-R", f"cat {_STATE}/{name}", str(file)]).encode() for name in SLOTS]
        sound = [found for found in map(read_slot, slots) if found]
        if not sound:
            raise SetupError(f"there is no valid state on the card: {slots}")
        newest = max(sound, key=lambda found: found["number"])
        return Remains(verdict, newest["saved_s"], newest["memory"], _minutes(file, work / "history"))
    finally:
        file.unlink()


def _minutes(file: Path, folder: Path) -> frozenset[int]:
    """The minutes of the history on a data partition; empty if nothing was written yet.

    Raises SetupError if the database is damaged.
    """
    folder.mkdir(exist_ok=True)
    for name in _HISTORY:
        (folder / name).unlink(missing_ok=True)
        run(["debugfs", "-R", f"dump {_STATE}/{name} {folder / name}", str(file)])
    try:
        with closing(sqlite3.connect(folder / _HISTORY[0])) as history:
            said = history.execute("PRAGMA integrity_check").fetchall()
            version = history.execute("PRAGMA user_version").fetchone()[0]
            if said != [("ok",)] or version not in (0, VERSION):
                raise SetupError(f"the history is damaged: version {version}, {said[:5]}")
            if not version and not history.execute("SELECT * FROM sqlite_schema").fetchall():
                return frozenset()  # the power was cut before the first minute
            rows = history.execute("SELECT minute FROM minutes WHERE scope = 'node'")
            return frozenset(minute for (minute,) in rows)
    except sqlite3.Error as error:
        raise SetupError(f"the history cannot be read: {error}") from error
