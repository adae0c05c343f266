"""File systems and the card image, made from folders without mounting."""

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..setup.debs import run

MIB = 1 << 20
FAT, LINUX = 0x0C, 0x83  # partition types; the boot ROM of a Pi 3 looks for 0x0c
_SECTOR = 512
_TABLE_AT = 440
ROOT_ONLY_PERCENT = 2  # of the data partition


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition."""

    label: str
    kind: int
    start_mib: int
    size_mib: int

    @property
    def end_mib(self) -> int:
        """Where the next partition may start."""
        return self.start_mib + self.size_mib


@dataclass(frozen=True, slots=True)
class CardLayout:
    """The three partitions. All start at multiples of 4 MiB, the erase unit of cards."""

    boot_mib: int = 64
    root_mib: int = 304
    total_mib: int = 512  # emulated card readers require a power of two

    @property
    def boot(self) -> Partition:
        """The boot partition, read by the firmware."""
        return Partition("BOOT", FAT, 4, self.boot_mib)

    @property
    def root(self) -> Partition:
        """The root partition, mounted read-only."""
        return Partition("rootfs", LINUX, self.boot.end_mib, self.root_mib)

    @property
    def data(self) -> Partition:
        """The data partition: the rest of the image; it grows on the card."""
        start = self.root.end_mib
        return Partition("data", LINUX, start, self.total_mib - start)


def make_fat(folder: Path, partition: Partition, file: Path) -> None:
    """A FAT file system with the files of a flat folder. Raises SetupError."""
    _blank(file, partition)
    run(["mkfs.vfat", "-F", "32", "-s", "1", "-n", partition.label, str(file)])
    run(["mcopy", "-i", str(file), *(str(path) for path in sorted(folder.iterdir())), "::"])


def make_ext4(folder: Path, partition: Partition, file: Path, journal: bool) -> None:
    """An ext4 file system with the files of a folder, with owners and modes. Raises SetupError.

    With a journal the blocks have 1 kB: the state and the history are written in small pieces, and the file
    system's own writes shrink to a quarter. There are few inodes, as the partition may grow with the card.
    A part is for root only: a roll-back must be possible when the node has filled the rest.
    """
    _blank(file, partition)
    features = ["-b", "1024", "-J", "size=8", "-m", str(ROOT_ONLY_PERCENT)]
    if not journal:
        features = ["-b", "4096", "-O", "^has_journal", "-m", "0"]
    options = ["-q", "-t", "ext4", "-L", partition.label, "-i", "8192", *features]
    options += ["-E", "lazy_itable_init=0,lazy_journal_init=0"]
    run(["mke2fs", *options, "-d", str(folder), str(file)])


def _blank(file: Path, partition: Partition) -> None:
    file.unlink(missing_ok=True)
    with file.open("wb") as blank:
        blank.truncate(partition.size_mib * MIB)


def assemble(parts: list[tuple[Partition, Path]], total_mib: int, image: Path) -> None:
    """Write the card image: partition table and file systems, sparse. Raises SetupError."""
    image.unlink(missing_ok=True)
    with image.open("wb") as blank:
        blank.truncate(total_mib * MIB)
        blank.seek(_TABLE_AT)
        blank.write(
            b"edge\0\0" + b"".join(_entry(partition) for partition, _ in parts).ljust(64, b"\0") + b"\x55\xaa"
        )
    for partition, file in parts:
        run(
            ["dd", f"if={file}", f"of={image}", "bs=1M", f"seek={partition.start_mib}", "conv=notrunc,sparse"]
        )


def _entry(partition: Partition) -> bytes:
    """An entry of the partition table; cylinders and heads have the marker "use the sectors"."""
    per_mib = MIB // _SECTOR
    start, size = partition.start_mib * per_mib, partition.size_mib * per_mib
    beyond = b"\xfe\xff\xff"
    return struct.pack(
        "<B3sB3sII", 0x80 * (partition.kind == FAT), beyond, partition.kind, beyond, start, size
    )


def compress(image: Path) -> Path:
    """Write a compressed copy with the suffix .gz."""
    packed = image.with_name(image.name + ".gz")
    with packed.open("wb") as file:
        subprocess.run(["gzip", "-4", "-n", "-c", str(image)], stdout=file, check=True)
    return packed
