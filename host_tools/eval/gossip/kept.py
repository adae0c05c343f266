"""Files of a cache that several jobs may compute at the same time: the last one that is ready stays."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


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
