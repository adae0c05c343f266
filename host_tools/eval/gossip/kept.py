"""Files of a cache that several jobs may compute at the same time: the last one that is ready stays."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO


@contextmanager
def written(file: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes this name once it is whole. Nobody else writes to it before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as unfinished:
        try:
            yield unfinished
            unfinished.flush()
            os.replace(unfinished.name, file)
        except BaseException:
            os.unlink(unfinished.name)
            raise
