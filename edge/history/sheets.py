"""Sheets: the deals of one write as one row, since rows of their own cost a card three times as much.

A sheet has the names that it needs, and its rows in numbers of variable length, compressed. It never goes
beyond a keyframe or the begin of a session, so what is in force from there on is in the sheets from there on.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

from .events import NUMBERS
from .file import Row
from .queue import Note

_MOST_BYTES = 1 << 22  # of an unpacked sheet; what fits into the queue is a tenth of it
_MOST_BITS = 70  # of a number
_NEXT_ID = f"ifnull(1 + (SELECT max(id) FROM sheets WHERE id < (?1 / {NUMBERS} + 1) * {NUMBERS}), 0)"
_SHEET = f"INSERT INTO sheets (id, lasts_ms, data) VALUES (max(?1, {_NEXT_ID}), ?2, ?3)"
SHORT_MW = 2**32  # powers below it take four bytes


def sheet_note(rows: list[Row], last_ms: int) -> Note:
    """The entry for one or more rows of deals, of which the last is of that time. A row: id, twin, contract,
    role, revision, partners, powers, later."""
    rows = sorted(rows, key=lambda row: row[0])
    return _SHEET, (rows[0][0], max(0, last_ms - rows[0][0] // NUMBERS), packed(rows))


def packed(rows: Iterable[Row]) -> bytes:
    """Rows with rising ids as bytes."""
    names: dict[str, int] = {}
    data, before = bytearray(), 0
    for number, twin, contract, role, revision, partners, powers, later in rows:
        every = partners.split(",")
        data += varint(unsigned(number - before)) + varint(names.setdefault(str(twin), len(names)))
        data += varint(unsigned(contract)) + varint(role) + varint(unsigned(revision)) + varint(len(every))
        data += b"".join(varint(names.setdefault(each, len(names))) for each in every)
        data += bytes([powers is not None])
        if powers is not None:
            data += b"".join(varint(unsigned(each)) for each in powers_mw(powers, partners)[1])
        data += varint(len(later or b"")) + (later or b"")
        before = number
    text = ",".join(names).encode()
    return zlib.compress(varint(len(text)) + text + data, 9)


def unpacked(data: bytes) -> list[Row] | None:
    """What `packed` packed; None for anything else."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, _MOST_BYTES)
        return list(_rows(plain)) if stream.eof else None
    except (zlib.error, struct.error, ValueError, IndexError):
        return None


def _rows(data: bytes) -> Iterator[Row]:
    """Raises ValueError, IndexError, struct.error."""
    place = 0

    def read() -> int:
        nonlocal place
        number, place = _number_at(data, place)
        return number

    def read_bytes() -> bytes:
        nonlocal place
        length = read()
        place += length
        return data[place - length : place]

    names, number = read_bytes().decode().split(","), 0
    while place < len(data):
        number += signed(read())  # the first is negative for a date before 1970
        twin, contract, role, revision = names[read()], signed(read()), read(), signed(read())
        partners = [names[read()] for _ in range(read())]
        powers = pack_mw([signed(read()) for _ in range(2 * len(partners))]) if read() else None
        yield number, twin, contract, role, revision, ",".join(partners), powers, read_bytes() or None


def pack_mw(powers_mw: list[int]) -> bytes:
    """Power and reserve of each partner. Raises struct.error."""
    kind = "I" if min(powers_mw) >= 0 and max(powers_mw) < SHORT_MW else "q"
    return struct.pack(f"<{len(powers_mw)}{kind}", *powers_mw)


def powers_mw(data: bytes, names: str) -> tuple[str, tuple[int, ...]]:
    """Power and reserve of each partner, and how they are packed."""
    count = 2 * (names.count(",") + 1)
    kind = f"<{count}{'q' if len(data) == 8 * count else 'I'}"
    return kind, struct.unpack(kind, data)


def unsigned(number: int) -> int:
    """Small for numbers near 0, also for those below."""
    return 2 * number if number >= 0 else -2 * number - 1


def signed(number: int) -> int:
    """What `unsigned` was given."""
    return number // 2 if number % 2 == 0 else -(number + 1) // 2


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    return bytes((*data, number))


def numbers(data: bytes) -> Iterator[int]:
    """All of those that `varint` wrote, up to one that is cut off or too long."""
    place = 0
    while place < len(data):
        try:
            number, place = _number_at(data, place)
        except (ValueError, IndexError):
            return
        yield number


def _number_at(data: bytes, place: int) -> tuple[int, int]:
    """The number that begins at a place, and the place after it. Raises ValueError, IndexError."""
    number = shift = 0
    while shift < _MOST_BITS:
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, place
    raise ValueError("a number is too long")
