"""The card: its partition table and labels, and that the files of a folder arrive with their modes."""

import gzip
import struct
import subprocess
from pathlib import Path

import pytest

from host_tools.image.disk import FAT, LINUX, MIB, CardLayout, assemble, compress, make_ext4
from host_tools.setup.debs import SetupError

SMALL = CardLayout(boot_mib=4, root_mib=8, total_mib=64)


def _table(image: Path) -> list[tuple[int, int, int, int]]:
    """Status, type, first and number of sectors of each partition."""
    head = image.read_bytes()[:512]
    assert head[510:] == b"\x55\xaa"
    entries = [struct.unpack_from("<B3xB3xII", head, 446 + 16 * i) for i in range(4)]
    return [entry for entry in entries if entry[1]]


def _label(image: Path, start_mib: int) -> bytes:
    with image.open("rb") as file:
        file.seek(start_mib * MIB + 1024 + 120)
        return file.read(16).rstrip(b"\0")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hostname").write_text("gym\n")
    (root / "etc/shadow").write_text("")
    (root / "etc/shadow").chmod(0o640)
    boot = tmp_path / "boot.fat"
    boot.write_bytes(b"boot".ljust(MIB, b"\0"))
    parts = [(SMALL.boot, boot)]
    for partition, journal in ((SMALL.root, False), (SMALL.data, True)):
        file = tmp_path / f"{partition.label}.ext4"
        make_ext4(root, partition, file, journal)
        parts.append((partition, file))
    assemble(parts, SMALL.total_mib, tmp_path / "sd.img")
    return tmp_path / "sd.img"


def test_a_card_has_three_partitions_that_a_pi_finds(image: Path) -> None:
    per_mib = MIB // 512
    assert image.stat().st_size == 64 * MIB
    assert _table(image) == [
        (0x80, FAT, 4 * per_mib, 4 * per_mib),
        (0, LINUX, 8 * per_mib, 8 * per_mib),
        (0, LINUX, 16 * per_mib, 48 * per_mib),
    ]
    assert FAT == 0x0C  # what the boot ROM accepts


def test_file_systems_lie_where_the_table_says_under_their_labels(image: Path) -> None:
    assert _label(image, SMALL.root.start_mib) == b"rootfs"
    assert _label(image, SMALL.data.start_mib) == b"data"
    assert image.read_bytes()[4 * MIB : 4 * MIB + 4] == b"boot"


def test_contents_and_modes_are_kept(image: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.ext4"
    data = image.read_bytes()
    part.write_bytes(data[SMALL.root.start_mib * MIB : SMALL.root.end_mib * MIB])

    def debugfs(request: str) -> str:
        command = ["debugfs", "-R", request, str(part)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert debugfs("cat /etc/hostname") == "gym\n"
    assert "Mode:  0640" in debugfs("stat /etc/shadow")
    assert "has_journal" not in debugfs("features")


def test_a_card_stays_sparse_and_packs_small(image: Path) -> None:
    assert image.stat().st_blocks * 512 < 12 * MIB
    packed = compress(image)
    assert packed.stat().st_size < MIB
    assert gzip.decompress(packed.read_bytes()) == image.read_bytes()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/big").write_bytes(bytes(range(256)) * 4096 * 12)
    with pytest.raises(SetupError):
        make_ext4(tmp_path / "root", SMALL.root, tmp_path / "root.ext4", journal=False)


def test_the_real_layout_fits_its_budget() -> None:
    layout = CardLayout()
    assert layout.data.end_mib == layout.total_mib == 512
    assert all(part.start_mib % 4 == 0 for part in (layout.boot, layout.root, layout.data))
