"""What a node remembers across restarts: its incarnation and its contracts, in one small file.

Written whole, synced and renamed, so that a power cut leaves the old file or the new one. A file that
cannot be read is set aside, and the node starts without memory; a disk that cannot be written makes it
forgetful, never stops it.
"""

import logging
import os
from pathlib import Path
from typing import Any

import orjson

from .clock import Clock

log = logging.getLogger("edge.state")

SAVE_EVERY_S = 5.0  # an SD card is worn by writes: contracts change far more often than this
COMPLAIN_EVERY_S = 3600.0
_VERSION = 2


class StateFile:
    """The memory of a node on disk."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / "state.json"
        self._clock = clock
        self._written = b""
        self._saved_s = float("-inf")
        self._complained_s = float("-inf")
        self.failures = 0

    def load(self) -> dict[str, Any]:
        """The memory, empty where there is none or none that can be read."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._complain("cannot be read", error)
            return {}
        try:
            memory = orjson.loads(data)
            if isinstance(memory, dict) and memory.get("version") == _VERSION:
                return memory
        except orjson.JSONDecodeError:
            pass
        aside = self._path.with_suffix(".unreadable")
        log.warning("%s is not a state file of this version: set aside as %s", self._path, aside.name)
        try:
            self._path.replace(aside)
        except OSError as error:
            self._complain("cannot be set aside", error)
        return {}

    @property
    def due(self) -> bool:
        """Whether the last write is long enough ago for the next."""
        return self._clock.now_s() - self._saved_s >= SAVE_EVERY_S

    def save(self, memory: dict[str, Any]) -> None:
        """Write the memory if it changed."""
        self._saved_s = self._clock.now_s()
        data = orjson.dumps({"version": _VERSION, **memory})
        if data == self._written:
            return
        try:
            self._write(data)
        except OSError as error:
            self.failures += 1
            self._complain("cannot be written; contracts would not survive a restart", error)
        else:
            self._written = data

    def _write(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _complain(self, what: str, error: OSError) -> None:
        now_s = self._clock.now_s()
        if now_s - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s = now_s
            log.error("%s %s: %s", self._path, what, error.strerror)
