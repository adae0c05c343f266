"""The state that a node keeps across restarts: its incarnation, its contracts, and who has hoarded.

A write costs a card whole blocks of 4 kB, so a change is written when it is there at the second look, at most
8 s after it: what lasts a few seconds is not written at all, and changes that follow closely are one write.
What a restart can do without, such as the end of a contract within the node, or which of its suppliers
serves whom, waits for the next write, at most five minutes (`energy.memory`). A memory that is longer than a
block is compressed.

Two files are written in turn, each in place and synced. A power cut damages only the file that is being
written: its checksum is wrong then, and the other file holds the save before. (A new file for each save would
cost a card ten times as many writes.) If neither file is valid, both are set aside and the node starts
without memory. If the disk cannot be written, the node goes on, but a restart would forget its contracts.
"""

import logging
import os
import zlib
from base64 import b85decode, b85encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from .clock import Clock
from .files import NotAFile, open_file, set_aside, sync_folder

log = logging.getLogger("edge.state")

SLOTS = ("state.a", "state.b")
LOOK_EVERY_S = 3.0  # a look comes with a tick, so two of them take at most 8 s
NEAR_EVERY_S = 300.0  # what a restart may continue just as well is written less often
COMPLAIN_EVERY_S = 3600.0
_VERSION = 3
_BLOCK_BYTES = 4096  # a file grows in these steps, because each growth costs extra writes
_PACKED = b"z"  # before a compressed memory, in letters; others are JSON
_WINDOW_BITS, _MEMORY_LEVEL, _LEVEL = 12, 5, 1  # 24 kB while it is compressed
_MOST_BYTES = 1 << 24  # of a file, whoever wrote it
_CHECK_DIGITS = 8
_MOST_NUMBER = 2**53  # a save a second for longer than any card lives


def read_slot(data: bytes) -> dict[str, Any] | None:
    """The content: `memory`, `number` of the save, `saved_s` in Unix time; None if the file is damaged."""
    body = data[_CHECK_DIGITS + 1 :].partition(b"\n")[0]  # the rest is left over from a longer save
    try:
        if int(data[:_CHECK_DIGITS], 16) != zlib.crc32(body):
            return None
        found = orjson.loads(_unpacked(body) if body.startswith(_PACKED) else body)
    except (ValueError, zlib.error):
        return None
    return found if isinstance(found, dict) and _is_save(found) else None


def _is_save(found: dict[str, Any]) -> bool:
    number = found.get("number")
    return (
        found.get("version") == _VERSION
        and isinstance(found.get("memory"), dict)
        and type(number) is int
        and 0 < number < _MOST_NUMBER
    )


def _packed(body: bytes) -> bytes:
    """The same in one block or few, without line feeds."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    return _PACKED + b85encode(packer.compress(body) + packer.flush())


def _unpacked(data: bytes) -> bytes:
    """Raises ValueError, zlib.error."""
    unpacker = zlib.decompressobj()
    body = unpacker.decompress(b85decode(data[len(_PACKED) :]), _MOST_BYTES)
    if not unpacker.eof:
        raise ValueError("a memory that is cut off, or too large")
    return body


class StateFile:
    """The memory of a node on disk."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._paths = [directory / name for name in SLOTS]
        self._clock = clock
        self._number = 0
        self._written = b""
        self._looked_s = self._written_s = float("-inf")
        self._has_changed = False  # at the last look
        self._complained_s: dict[str, float] = {}  # by what failed
        self.failures = 0

    def load(self) -> dict[str, Any]:
        """The newest memory; empty if there is none that is valid."""
        newest: dict[str, Any] = {"number": 0, "memory": {}}
        damaged = []
        for path in self._paths:
            try:
                data = self._read(path)
            except NotAFile:  # it could not be written either
                self._set_aside([path])
                continue
            found = read_slot(data)
            if found and found["number"] > newest["number"]:
                newest = found
            elif data and not found:
                damaged.append(path)
        self._number = newest["number"]
        if damaged and not newest["number"]:
            self._set_aside(damaged)
        return dict(newest["memory"])

    @property
    def due(self) -> bool:
        """Whether the last look is long enough ago for the next one."""
        return self._clock.now_s() - self._looked_s >= LOOK_EVERY_S

    def look(self, memory: dict[str, Any], is_near: Callable[[Any, Any], bool]) -> None:
        """Write the memory if it has changed since the look before, too; if what is on disk `is_near`, only
        every NEAR_EVERY_S."""
        now_s = self._looked_s = self._clock.now_s()
        data = orjson.dumps(memory)
        if self._written and now_s < self._written_s + NEAR_EVERY_S:
            changed = data != self._written and not is_near(orjson.loads(self._written), orjson.loads(data))
            self._has_changed, before = changed, self._has_changed
            if not (changed and before):
                return
        self._save(data)

    def save(self, memory: dict[str, Any]) -> None:
        """Write the memory if it has changed."""
        self._save(orjson.dumps(memory))

    def _save(self, data: bytes) -> None:
        if data == self._written:
            return
        number = self._number + 1
        body = orjson.dumps(
            {
                "version": _VERSION,
                "number": number,
                "saved_s": round(self._clock.wall_s(), 1),
                "memory": orjson.Fragment(data),
            }
        )
        if len(body) > _BLOCK_BYTES - _CHECK_DIGITS - 2:  # and what stands around it
            body = _packed(body)
        path = self._paths[number % len(SLOTS)]
        try:
            if path.is_fifo() or path.is_dir() or path.is_socket():  # put there since the start
                self._set_aside([path])
            _write(path, b"%08x %b\n" % (zlib.crc32(body), body))
        except OSError as error:
            self.failures += 1
            self._complain("cannot be written; contracts would not survive a restart", error)
        else:
            self._number, self._written, self._written_s = number, data, self._clock.now_s()
            self._has_changed = False

    def _read(self, path: Path) -> bytes:
        """Raises NotAFile."""
        try:
            with open_file(path) as file:
                return file.read(_MOST_BYTES)
        except FileNotFoundError:
            return b""
        except NotAFile:
            raise
        except OSError as error:
            self._complain("cannot be read", error)
            return b""

    def _set_aside(self, paths: list[Path]) -> None:
        for path in paths:
            try:
                aside = set_aside(path, path.with_name(f"{path.name}.unreadable"))
            except OSError as error:
                self._complain("cannot be set aside", error)
            else:
                log.warning("%s is not a valid state file of this version; set aside as %s", path, aside.name)

    def _complain(self, what: str, error: OSError) -> None:
        now_s = self._clock.now_s()
        if now_s - self._complained_s.get(what, float("-inf")) >= COMPLAIN_EVERY_S:
            self._complained_s[what] = now_s
            log.error("%s %s: %s", self._paths[0].parent, what, error.strerror)


def _write(path: Path, data: bytes) -> None:
    """Overwrite the beginning of the file, and no more than is needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o600)  # a FIFO is refused at once
    try:
        if len(data) <= os.fstat(file).st_size:
            os.pwrite(file, data, 0)
            os.fdatasync(file)
            return
        length = -(-len(data) // _BLOCK_BYTES) * _BLOCK_BYTES
        os.pwrite(file, data.ljust(length, b"\n"), 0)
        os.fsync(file)
    finally:
        os.close(file)
    sync_folder(path.parent)
