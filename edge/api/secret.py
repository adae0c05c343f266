"""Files that only the user of the node may read."""

import os
from pathlib import Path

from ..files import sync_folder


def write_secret(path: Path, text: str) -> None:
    """Replace the file as a whole; it is on the disk afterwards. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, text.encode())
        os.fsync(file)
    finally:
        os.close(file)
    new.replace(path)
    sync_folder(path.parent)
