"""From when until when certificates and lists of revoked ones are valid, read from their PEM files.

Only the two dates are needed, so a few lines of DER replace a library that takes megabytes. In both kinds of
file they stand in the signed part: a certificate has them in a sequence of their own, a list side by side.
"""

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from ..files import TEXT_BYTES, read_bytes
from .settings import TlsSettings

DAY_S = 86400
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x17, 0x18


@dataclass(frozen=True, slots=True)
class Certificate:
    """One file. `kind` is the key of `[tls]`; times are Unix seconds."""

    kind: str
    file: str
    begins_s: float
    ends_s: float

    def days_left(self, wall_s: float) -> float:
        """Days until its end; negative when it is over."""
        return (self.ends_s - wall_s) / DAY_S


def certificates(tls: TlsSettings | None) -> tuple[Certificate, ...]:
    """Those of a node. A file that cannot be read is left out: the links say why they do not work."""
    found = []
    for field in fields(TlsSettings):
        file = getattr(tls, field.name) if tls else ""
        if file and field.name != "key":
            try:
                found.append(Certificate(field.name, file, *validity(read_bytes(file, TEXT_BYTES))))
            except (OSError, ValueError):
                continue
    return tuple(found)


def validity(pem: bytes) -> tuple[float, float]:
    """Begin and end in Unix seconds of the first certificate or list in a PEM file. Raises ValueError."""
    body = pem.partition(b"-----BEGIN ")[2].partition(b"-----")[2].partition(b"-----END")[0]
    times: list[float] = []
    for tag, content in _parts(_first(_first(binascii.a2b_base64(body)))):
        if tag in (_UTC_TIME, _GENERALIZED_TIME):
            times.append(_time(tag, content))
        elif tag == _SEQUENCE and content[:1] in (bytes([_UTC_TIME]), bytes([_GENERALIZED_TIME])):
            times += [_time(*each) for each in _parts(content)]
        if len(times) == 2:
            return times[0], times[1]
    raise ValueError("no dates of validity")


def _first(der: bytes) -> bytes:
    for _, content in _parts(der):
        return content
    raise ValueError("nothing there")


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element, one after the other."""
    while der:
        if len(der) < 2:
            raise ValueError("cut short")
        length, start = der[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        if len(der) < start + length:
            raise ValueError("cut short")
        yield der[0], der[start : start + length]
        der = der[start + length :]


def _time(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if text < "50" else "19") + text
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC).timestamp()
