"""Writes a table of tables in the FlatBuffers format, front to back.

Offsets point forward: a table is written with empty offsets, its children follow it, and then the offsets
are filled in. A value is a pair of kind and content; a table is a dict of its fields by number.
"""

import struct
from typing import Any, TypeAlias

Field: TypeAlias = tuple[str, Any]
Table: TypeAlias = dict[int, Field]
_SCALARS = {"bool": "<?", "byte": "<b", "ubyte": "<B", "int": "<i", "uint": "<I", "float": "<f"}
_WIDTHS = {"bool": 1, "byte": 1, "ubyte": 1}  # in bytes; all others take four
_VECTORS = {"ints": ("i", 4), "longs": ("q", 8), "floats": ("f", 4)}
_ALIGNMENT = 16  # of raw bytes, so that weights can be read in place


def serialise(root: Table, identifier: bytes) -> bytes:
    """The file: offset of the root, identifier of four letters, then all tables."""
    writer = _Writer()
    writer.data += struct.pack("<I", 0) + identifier
    struct.pack_into("<I", writer.data, 0, writer.table(root))
    return bytes(writer.data)


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def _align(self, size: int, ahead: int = 0) -> None:
        """Pad with zeros, so that what follows `ahead` more bytes is aligned."""
        self.data += bytes(-(len(self.data) + ahead) % size)

    def table(self, fields: Table) -> int:
        """Write a table and all below it; the position where it begins."""
        places, end = {}, 4
        for width in (4, 1):
            for number, (kind, _) in fields.items():
                if _WIDTHS.get(kind, 4) == width:
                    places[number] = end
                    end += width
        count = max(fields, default=-1) + 1
        self._align(8, 4 + 2 * count)
        layout = len(self.data)
        self.data += struct.pack("<HH", 4 + 2 * count, end)
        self.data += struct.pack(f"<{count}H", *(places.get(number, 0) for number in range(count)))
        start = len(self.data)
        self.data += struct.pack("<i", start - layout) + bytes(end - 4)
        for number, (kind, value) in fields.items():
            at = start + places[number]
            if kind in _SCALARS:
                struct.pack_into(_SCALARS[kind], self.data, at, value)
            else:
                struct.pack_into("<I", self.data, at, self._child(kind, value) - at)
        return start

    def _child(self, kind: str, value: Any) -> int:
        if kind == "table":
            return self.table(value)
        if kind == "tables":
            return self._tables(value)
        if kind == "text":
            return self._vector(value.encode() + b"\0", len(value.encode()), 4)
        if kind == "bytes":
            return self._vector(value, len(value), _ALIGNMENT)
        letter, width = _VECTORS[kind]
        return self._vector(struct.pack(f"<{len(value)}{letter}", *value), len(value), width)

    def _vector(self, content: bytes, count: int, alignment: int) -> int:
        self._align(max(4, alignment), 4)
        start = len(self.data)
        self.data += struct.pack("<I", count) + content
        return start

    def _tables(self, tables: list[Table]) -> int:
        self._align(4)
        start = len(self.data)
        self.data += struct.pack("<I", len(tables)) + bytes(4 * len(tables))
        for number, fields in enumerate(tables):
            at = start + 4 + 4 * number
            struct.pack_into("<I", self.data, at, self.table(fields) - at)
        return start
