"""Files of a cache that several jobs may compute at the same time: the last one that is ready stays.

A file that is damaged is computed again.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar
from uuid import uuid4
from zipfile import BadZipFile

T = TypeVar("T")


def loaded(file: Path, load: Callable[[Path], T]) -> T | None:
    """What `load` makes of a file; None if there is none, or if it is damaged."""
    if not file.exists():
        return None
    try:
        return load(file)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        file.unlink(missing_ok=True)
        return None


@contextmanager
def written(file: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes this name once it is whole. Nobody else writes to it before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        with unfinished.open("xb") as opened:
            yield opened
        os.replace(unfinished, file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
