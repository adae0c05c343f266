"""The files of the trust room: text with a title, so that nobody takes one for another.

    -----BEGIN MICROGRID NODE KEY-----
    base64
    -----END MICROGRID NODE KEY-----

Private keys must be readable by their owner alone. Files are written whole or not at all.
"""

import binascii
import os
import stat
import textwrap
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..files import open_file, replace_file
from .certificate import Certificate
from .keys import Authority, AuthorityKey, NodeKeys
from .revocation import Revocations

NODE_KEY, NODE_IDENTITY = "MICROGRID NODE KEY", "MICROGRID NODE IDENTITY"
AUTHORITY, AUTHORITY_KEY = "MICROGRID AUTHORITY", "MICROGRID AUTHORITY KEY"
REVOCATIONS = "MICROGRID REVOCATIONS"
_PRIVATE = {NODE_KEY, AUTHORITY_KEY}
_MOST_BYTES = 8192
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

T = TypeVar("T")


class KeyFileError(Exception):
    """A file cannot be used; the message names it and says why."""


def read_node_keys(path: Path) -> NodeKeys:
    """Raises KeyFileError."""
    return _read(path, NODE_KEY, NodeKeys)


def read_certificate(path: Path) -> Certificate:
    """Read, but not verified. Raises KeyFileError."""
    return _read(path, NODE_IDENTITY, Certificate)


def read_authority(path: Path) -> Authority:
    """Raises KeyFileError."""
    return _read(path, AUTHORITY, Authority.read)


def read_authority_key(path: Path) -> AuthorityKey:
    """Raises KeyFileError."""
    return _read(path, AUTHORITY_KEY, AuthorityKey.read)


def read_revocations(path: Path) -> Revocations:
    """Read, but not verified. Raises KeyFileError."""
    return _read(path, REVOCATIONS, Revocations)


def text_of(title: str, data: bytes) -> str:
    """The content of a file."""
    lines = textwrap.wrap(b64encode(data).decode(), 64)
    return "\n".join([f"-----BEGIN {title}-----", *lines, f"-----END {title}-----", ""])


def write(path: Path, title: str, data: bytes) -> None:
    """Replace a file as a whole. Raises KeyFileError."""
    try:
        replace_file(path, text_of(title, data).encode(), mode=0o600 if title in _PRIVATE else 0o644)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error


def _read(path: Path, title: str, make: Callable[[bytes], T]) -> T:
    try:
        with open_file(path) as file:
            if title in _PRIVATE and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise KeyFileError(f"{path}: others may read or write it; run chmod 600 on it")
            text = file.read(_MOST_BYTES)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    try:
        return make(_content(text, title))
    except ValueError as error:
        raise KeyFileError(f"{path}: {error}") from error


def _content(text: bytes, title: str) -> bytes:
    """Raises ValueError."""
    lines = text.decode("ascii", "replace").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) < 3 or lines[0].strip() != f"-----BEGIN {title}-----":
        raise ValueError(f"is not a file with the title {title}")
    if lines[-1].strip() != f"-----END {title}-----":
        raise ValueError("is cut short")
    try:
        return b64decode("".join(line.strip() for line in lines[1:-1]), validate=True)
    except binascii.Error:
        raise ValueError("is damaged") from None
