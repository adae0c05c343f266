"""Counts starts that ended in a crash, so that a crash in learning does not repeat for ever.

Learning is the part that reads large files and runs foreign code, and a node is useful without it. After
three crashes in a row within minutes of a start, the node starts without learning; once that has held, the
next start tries again. A power cut is no crash: the count is that of one boot of the machine.
"""

import logging
from contextlib import suppress
from pathlib import Path

from ..files import read_text, replace_file

log = logging.getLogger("edge.crashes")
NAME = "starts"
MOST = 3
SETTLED_S = 300.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MOST_BYTES = 100


class Crashes:
    """The starts in a row that did not settle, in a file of the state folder."""

    def __init__(self, folder: Path, boot: Path = _BOOT) -> None:
        self._path = folder / NAME
        self._boot = _read(boot)
        self._settled = False
        before = _read(self._path).split()
        same_boot = len(before) == 2 and before[1] == self._boot
        self.count = int(before[0]) if same_boot and before[0].isdecimal() else 0

    @property
    def too_many(self) -> bool:
        """Whether this start has to do without learning."""
        return self.count >= MOST

    def begin(self) -> None:
        """The node starts: a crash unless it settles."""
        self._write(self.count + 1)

    def settle(self) -> None:
        """The node has run long enough, or ends as it was asked to."""
        if not self._settled:
            self._settled = True
            self._write(0)

    def look(self, uptime_s: float) -> None:
        """Called now and then while the node runs."""
        if uptime_s >= SETTLED_S:
            self.settle()

    def _write(self, count: int) -> None:
        try:
            replace_file(self._path, f"{count} {self._boot}\n".encode(), synced=False)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error.strerror)


def _read(path: Path) -> str:
    """The text of a small file; empty if there is none."""
    with suppress(OSError, UnicodeDecodeError):
        return read_text(path, _MOST_BYTES).strip()
    return ""
