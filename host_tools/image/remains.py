"""What a power cut left on the card of a trial: the file system, the memory of the node, its history.

All is read from a copy of the data partition, as the next boot would find it once the journal is replayed.
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
    """e2fsck's last word, the memory of the node and when it was written, the minutes of its history."""

    verdict: str
    state_written_s: float  # since 1970, by the clock of the node
    memory: dict[str, Any]
    minutes: frozenset[int]  # since 1970, of the node's own scope


def remains(card: Path, work: Path) -> Remains:
    """Look at a card that was cut off. Raises SetupError if anything on it is unsound."""
    partition, file = CardLayout().data, work / "data.ext4"
    run(["dd", f"if={card}", f"of={file}", "bs=1M", f"skip={partition.start_mib}", "conv=sparse"])
    try:
        run(["e2fsck", "-E", "journal_only", "-p", str(file)])
        verdict = run(["e2fsck", "-f", "-n", str(file)]).strip().splitlines()[-1]
        slots = [run(["debugfs", "-R", f"cat {_STATE}/{name}", str(file)]).encode() for name in SLOTS]
        sound = [found for found in map(read_slot, slots) if found]
        if not sound:
            raise SetupError(f"there is no state on the card: {slots}")
        newest = max(sound, key=lambda found: found["number"])
        return Remains(verdict, newest["saved_s"], newest["memory"], _minutes(file, work / "history"))
    finally:
        file.unlink()


def _minutes(file: Path, folder: Path) -> frozenset[int]:
    """Of the history on a data partition, none where nothing was written yet.

    Raises SetupError if SQLite finds anything wrong with it.
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
                return frozenset()  # the first start was cut off before its first minute
            rows = history.execute("SELECT minute FROM minutes WHERE scope = 'node'")
            return frozenset(minute for (minute,) in rows)
    except sqlite3.Error as error:
        raise SetupError(f"the history cannot be read: {error}") from error
