"""Atomic writing of files: to a temporary file, then renamed; unchanged files are not written."""

import contextlib
import os
import tempfile
from pathlib import Path

SECRET, PLAIN = 0o600, 0o644


def write(path: Path, content: bytes | str, mode: int = PLAIN) -> bool:
    """Write `content` to `path`; returns whether anything changed. After an OSError nothing has changed."""
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        if path.stat().st_mode & 0o777 != mode:
            path.chmod(mode)
            return True
        return False
    folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 from the start
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    _sync(path.parent)
    return True


def folder(path: Path) -> None:
    """Create a folder and its parents, accessible only to the owner."""
    if not path.is_dir():
        folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
