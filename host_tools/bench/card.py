"""An SD card to measure on: ext4 in a file, mounted as on a board. It needs root and a free loop device."""

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE_MB = 512
_OPTIONS = "loop,noatime,lazytime,commit=60"  # of deploy/rootfs/etc/fstab
_BLOCK_BYTES = "4096"  # as `make image` gets them; mke2fs would take 1024 for a small file
_SECTOR_BYTES = 512


class Card:
    """A mounted card and the bytes that were written to it."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self._stat = Path("/sys/block") / Path(device).name / "stat"

    @property
    def written(self) -> int:
        """Bytes so far."""
        return _SECTOR_BYTES * int(self._stat.read_text().split()[6])

    def sync(self) -> None:
        """Write what waits in the page cache, as the kernel does from time to time."""
        number = os.open(self.folder, os.O_RDONLY)
        try:
            ctypes.CDLL(None).syncfs(number)
        finally:
            os.close(number)


@contextmanager
def mounted() -> Iterator[Card | None]:
    """A card; None where none can be mounted."""
    with tempfile.TemporaryDirectory(prefix="card-") as work:
        image, folder = Path(work, "card.img"), Path(work, "mnt")
        folder.mkdir()
        with image.open("wb") as file:
            file.truncate(_SIZE_MB * 1_000_000)
        try:
            _run("mke2fs", "-q", "-F", "-t", "ext4", "-b", _BLOCK_BYTES, str(image))
            _run("mount", "-o", _OPTIONS, str(image), str(folder))
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        try:
            yield Card(folder, _run("findmnt", "-no", "SOURCE", str(folder)).strip())
        finally:
            _run("umount", "--lazy", str(folder))  # files may still be open


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
