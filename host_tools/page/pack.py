"""Compress the files of the dashboard for a node, which serves them as they are."""

import gzip
from pathlib import Path


def pack(folder: Path) -> None:
    """Replace each file of `folder` by NAME.gz; the same files give the same bytes."""
    for path in sorted(folder.iterdir()):
        if path.suffix != ".gz":
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
            path.unlink()
