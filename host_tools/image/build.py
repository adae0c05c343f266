"""Builds an image in steps: packages, root, release, kernel, boot partition, data partition, card."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..setup.debs import REPOSITORY, SetupError
from . import configure, disk, kernel, packages, release
from .data import data_tree

ROOTFS, BOOT = REPOSITORY / "deploy/rootfs", REPOSITORY / "deploy/boot"
MOST_MIB, MOST_PACKED_MIB = 512, 120


@dataclass
class Steps:
    """Prints the steps of a build and how long they took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print and time one step."""
        print(f"{name:<32}", end="", flush=True)
        began_s = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began_s, 1)
        print(f"{self.seconds[name]:6.1f} s", flush=True)


@dataclass
class ImageJob:
    """An image to build: its sources and where to put it."""

    name: str
    suite: str
    provisioned: Path  # config/ and keys/ of the node
    cache: Path
    out: Path
    layout: disk.CardLayout = field(default_factory=disk.CardLayout)
    steps: Steps = field(default_factory=Steps)


def build(job: ImageJob) -> dict[str, Any]:
    """Build sd.img, sd.img.gz and image.json in `job.out`; returns the report. Raises SetupError."""
    work, step = job.out / "work", job.steps.step
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    root = work / "root"
    with step("package lists and downloads"):
        installed, parts = _download(job)
    with step("root from packages"):
        packages.unpack(installed, root)
        packages.prune(root, kernel.listed(BOOT / "prune.txt"))
    with step("accounts, units, identity"):
        _configure(job, root)
    with step("byte code of Python's library"):
        configure.compile_library(root)
    with step("factory release"):
        release_id = release.factory(root)
    with step("kernel and modules"):
        image = kernel.Kernel(parts[packages.KERNEL], job.cache)
        image.install_modules(kernel.listed(BOOT / "modules-root.txt"), root)
    with step("boot files and initramfs"):
        _boot(image, parts, work)
    with step("file systems"):
        data_tree(job.provisioned, root, work / "data")
        filled = _file_systems(job.layout, work)
    with step("card image"):
        disk.assemble(filled, job.layout.total_mib, job.out / "sd.img")
        shutil.rmtree(work)
    with step("compressed image"):
        disk.compress(job.out / "sd.img")
    with step("checksums"):
        return _report(job, release_id, [*installed, *parts.values()])


def _download(job: ImageJob) -> tuple[list[packages.Package], dict[str, packages.Package]]:
    apt = packages.Apt(job.cache, job.suite)
    apt.update()
    installed = apt.fetch_with_needs(packages.ROOT)
    return installed, apt.fetch(packages.KERNEL, packages.FIRMWARE, packages.BUSYBOX)


def _configure(job: ImageJob, root: Path) -> None:
    configure.lay_over(ROOTFS, root)
    configure.accounts(root)
    certificate = job.provisioned / "keys/node.crt"
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    configure.identity(root, job.name, certificate.read_bytes(), f"{job.name} {job.suite} {made}")
    configure.signers(root, job.provisioned / "signers")
    configure.units(root)


def _boot(image: kernel.Kernel, parts: dict[str, packages.Package], work: Path) -> None:
    for name in (packages.FIRMWARE, packages.BUSYBOX):
        packages.unpack_one(parts[name], work / name)
    modules = kernel.listed(BOOT / "modules-initramfs.txt")
    busybox = work / packages.BUSYBOX / "bin/busybox"
    initrd = kernel.initramfs(image, modules, busybox, BOOT / "initramfs/init", work)
    kernel.boot_files(image, work / packages.FIRMWARE, initrd, BOOT, work / "boot")


def _file_systems(layout: disk.CardLayout, work: Path) -> list[tuple[disk.Partition, Path]]:
    disk.make_fat(work / "boot", layout.boot, work / "boot.fat")
    disk.make_ext4(work / "root", layout.root, work / "root.ext4", journal=False)
    disk.make_ext4(work / "data", layout.data, work / "data.ext4", journal=True)
    return [
        (layout.boot, work / "boot.fat"),
        (layout.root, work / "root.ext4"),
        (layout.data, work / "data.ext4"),
    ]


def _report(job: ImageJob, release_id: str, used: list[packages.Package]) -> dict[str, Any]:
    files = {}
    for name in ("sd.img", "sd.img.gz"):
        path = job.out / name
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[name] = {"bytes": path.stat().st_size, "on_disk": path.stat().st_blocks * 512, "sha256": digest}
    report = {
        "node": job.name,
        "suite": job.suite,
        "release": release_id,
        "files": files,
        "packages": {package.name: package.version for package in sorted(used, key=lambda each: each.name)},
    }
    _check_sizes(files)
    return report


def _check_sizes(files: dict[str, Any]) -> None:
    for name, most_mib in (("sd.img", MOST_MIB), ("sd.img.gz", MOST_PACKED_MIB)):
        if files[name]["bytes"] > most_mib * disk.MIB:
            raise SetupError(
                f"{name}: {files[name]['bytes'] / disk.MIB:.0f} MiB, at most {most_mib} MiB are allowed"
            )


def save(report: dict[str, Any], steps: Steps, file: Path) -> None:
    """Write image.json."""
    whole = report | {"seconds": steps.seconds | {"total": round(sum(steps.seconds.values()), 1)}}
    file.write_text(json.dumps(whole, indent=2) + "\n")
