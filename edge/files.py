"""Files that may not be what they should be: a FIFO or a folder in their place, far too large, not UTF-8.

Opening a FIFO waits for its other end, perhaps for ever, so only regular files are opened here. And a folder
that two processes must not use at the same time.
"""

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors write it in front of a text
TEXT_BYTES = 1 << 20  # most of a file that people write


class NotAFile(OSError):
    """Something other than a regular file has this name."""


class InvalidToml(ValueError):
    """The content of a file is not TOML; the message completes the sentence "the file ..."."""


def open_file(path: str | Path) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, NotAFile for anything that is no regular file."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:  # a NUL in the name
        raise NotAFile(0, "is not the name of a file", str(path)) from None
    try:
        check_regular(path, os.fstat(number))
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def check_regular(path: str | Path, found: os.stat_result) -> None:
    """Raises NotAFile."""
    if not stat.S_ISREG(found.st_mode):
        raise NotAFile(0, "is not a regular file", str(path))


def read_bytes(path: str | Path, most_bytes: int) -> bytes:
    """The content of a regular file. Raises OSError, also for a file above `most_bytes`."""
    with open_file(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(0, f"is larger than {most_bytes:,} bytes", str(path))
    return data


def read_text(path: str | Path, most_bytes: int = TEXT_BYTES) -> str:
    """UTF-8 text without its byte order mark. Raises OSError, UnicodeDecodeError."""
    return read_bytes(path, most_bytes).removeprefix(BYTE_ORDER_MARK).decode()


def read_toml(path: str | Path, most_bytes: int = TEXT_BYTES) -> dict[str, Any]:
    """The tables of a TOML file. Raises OSError, InvalidToml."""
    import tomllib  # only while a configuration is read

    try:
        return tomllib.loads(read_text(path, most_bytes))
    except UnicodeDecodeError:
        raise InvalidToml("is not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidToml(f"is not valid TOML: {error}") from None
    except RecursionError:
        raise InvalidToml("is not valid TOML: lists or tables are nested too deep") from None
    except ValueError:  # of int(): more than 4300 digits
        raise InvalidToml("is not valid TOML: a number is too long") from None


def set_aside(path: Path, aside: Path) -> Path:
    """Rename a file that cannot be used, in place of an earlier one; returns its new name.

    Where a folder is in the way, or the file is a folder, the name gets a number. Raises OSError.
    """
    for number in range(1, 100):
        try:
            return path.replace(aside)
        except OSError as error:
            if error.errno not in (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise
        aside = aside.with_name(f"{aside.name.removesuffix(f'-{number - 1}')}-{number}")
    raise OSError(0, "too many folders are in the way", str(aside))


def replace_file(path: Path, data: bytes, *, mode: int = 0o644, synced: bool = True) -> None:
    """Write a file as a whole or not at all, in place of an earlier one. Raises OSError.

    `synced`: it is on the disk afterwards. Others never see it with more rights than `mode`.
    """
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # of a process that ended; or a pipe, to which writing would never end
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(number, "wb") as file:
        file.write(data)
        if synced:
            file.flush()
            os.fsync(number)
    part.replace(path)
    if synced:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files in a folder are on the disk. Raises OSError."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def lock_folder(folder: Path) -> int:
    """Lock a folder until the number that is returned is closed, or the process ends.

    Raises BlockingIOError if another process has locked it, OSError if it cannot be opened.
    """
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(number)
        raise
    return number
