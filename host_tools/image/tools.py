"""The programs needed to build an image: installed by apt if possible, otherwise all listed in one error."""

import os
import shutil

from ..setup.debs import apt_install

_BUILD = {
    "apt-get": "apt",
    "cpio": "cpio",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "modprobe": "kmod",
    "systemctl": "systemd",
    "systemd-sysusers": "systemd",
}
_EMULATE = {
    "debugfs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "qemu-system-aarch64": "qemu-system-arm",
    "ssh": "openssh-client",
}
_AS_USER = {"fakeroot": "fakeroot"}


def need_tools(emulator: bool = False) -> None:
    """Install missing programs, or raise SetupError with all missing packages."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # not on the path of an ordinary user
    wanted = _EMULATE if emulator else _BUILD if os.geteuid() == 0 else _BUILD | _AS_USER
    packages = sorted({package for program, package in wanted.items() if not shutil.which(program)})
    if packages:
        apt_install(*packages)
