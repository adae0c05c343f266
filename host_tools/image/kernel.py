"""The kernel, its modules and the initramfs, from Debian's packages and reduced to what a node needs.

Debian's arm64 kernel has ext4, overlayfs and the card reader as modules, so an initramfs is needed. Ours
consists of a static busybox, one script and a dozen modules.
"""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

from ..setup.debs import SetupError, run
from .packages import Package, unpack_one

# Firmware of a Pi 3; the `cd` files are loaded when gpu_mem is 16.
_FIRMWARE = ("bootcode.bin", "start.elf", "fixup.dat", "start_cd.elf", "fixup_cd.dat")
_BOARDS = ("b", "b-plus", "a-plus")


class Kernel:
    """An unpacked kernel package, kept for the next build."""

    def __init__(self, package: Package, cache: Path) -> None:
        """Raises SetupError."""
        self.folder = (cache / f"{package.name}_{package.version}").resolve()
        if not self.folder.exists():
            partial = self.folder.with_name(f".{self.folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            unpack_one(package, partial)
            version = next((partial / "lib/modules").iterdir()).name
            run(["depmod", "-b", str(partial), version])
            partial.rename(self.folder)  # whole or not at all
        self.version = next((self.folder / "lib/modules").iterdir()).name
        self.image = self.folder / f"boot/vmlinuz-{self.version}"
        self.trees = self.folder / f"usr/lib/linux-image-{self.version}/broadcom"

    def closure(self, names: list[str]) -> list[Path]:
        """The files of modules and their dependencies, in loading order. Raises SetupError."""
        options = ["-C", "/dev/null", "-d", str(self.folder), "-S", self.version]
        command = ["modprobe", *options, "--show-depends", "-a"]
        files = [
            line.split()[1] for line in run([*command, *names]).splitlines() if line.startswith("insmod")
        ]
        return [Path(file) for file in dict.fromkeys(files)]

    def install_modules(self, names: list[str], root: Path) -> int:
        """Copy modules to the root; returns their number. Raises SetupError."""
        source, target = self.folder / "lib/modules" / self.version, root / "usr/lib/modules" / self.version
        files = self.closure(names)
        for file in files:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            shutil.copyfile(source / name, target / name)
        run(["depmod", "-b", str(root), self.version])
        return len(files)


def listed(file: Path) -> list[str]:
    """The entries of a list file, without comments."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]


def initramfs(kernel: Kernel, modules: list[str], busybox: Path, script: Path, work: Path) -> Path:
    """Build the compressed initramfs. Raises SetupError."""
    tree = work / "initramfs"
    for name in ("bin", "modules"):
        (tree / name).mkdir(parents=True)
    files = kernel.closure(modules)
    for file in files:
        shutil.copyfile(file, tree / "modules" / file.name)
    (tree / "modules/order").write_text("".join(f"{file.name}\n" for file in files))
    for source, target in ((busybox, tree / "bin/busybox"), (script, tree / "init")):
        shutil.copyfile(source, target)
        target.chmod(0o755)
    for path in (tree, *tree.rglob("*")):
        os.utime(path, (0, 0))  # the same files make the same archive
    packed = work / "initrd.img"
    names = "\n".join(str(path.relative_to(tree)) for path in [tree, *sorted(tree.rglob("*"))])
    archive = subprocess.run(
        ["cpio", "--create", "--reproducible", "--format=newc", "--owner=0:0", "--quiet"],
        cwd=tree,
        input=names.encode(),
        stdout=subprocess.PIPE,
        check=False,
    )
    if archive.returncode:
        raise SetupError("cpio could not pack the initramfs")
    packed.write_bytes(gzip.compress(archive.stdout, 9, mtime=0))
    return packed


def boot_files(kernel: Kernel, firmware: Path, initrd: Path, ours: Path, folder: Path) -> None:
    """Collect the files of the boot partition: the firmware, the kernel and their configuration."""
    folder.mkdir()
    for name in _FIRMWARE:
        shutil.copyfile(firmware / "usr/lib/raspi-firmware" / name, folder / name)
    shutil.copyfile(firmware / "usr/share/doc/raspi-firmware/copyright", folder / "firmware-licence.txt")
    for board in _BOARDS:  # the names of Debian's kernel and those of older firmware
        for chip in ("bcm2837", "bcm2710"):
            shutil.copyfile(kernel.trees / f"bcm2837-rpi-3-{board}.dtb", folder / f"{chip}-rpi-3-{board}.dtb")
    shutil.copyfile(kernel.image, folder / "vmlinuz")
    shutil.copyfile(initrd, folder / "initrd.img")
    for name in ("config.txt", "cmdline.txt"):
        shutil.copyfile(ours / name, folder / name)
