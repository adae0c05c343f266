"""Debian packages for the node's architecture: resolved, downloaded and verified by apt, unpacked by tar.

apt uses separate folders with an empty status file, so it resolves all dependencies for another machine. It
checks the signature of the archive and caches downloads for the next build. Maintainer scripts are not run;
configure.py does their work.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..setup.debs import SetupError, debian_archive, keyring, run

ARCHITECTURE = "arm64"
_COMPONENTS = "main non-free-firmware"
_FIELD = re.compile(r"^(Package|Version|Architecture|Depends): (.+)$", re.MULTILINE)
_INSTALLS = re.compile(r"^Inst (\S+) \((\S+) .*\[(\w+)\]\)")

# The packages of the root; apt adds their dependencies.
ROOT = (
    "base-files",
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "e2fsprogs",
    "fdisk",
    "grep",
    "gzip",
    "iproute2",
    "kmod",
    "libc-bin",
    "libidn2-0",  # without it systemd-resolved (252) cannot use the host name and answers to linux.local
    "libnss-resolve",
    "libstdc++6",
    "login",
    "mosquitto",
    "mount",
    "openssh-server",
    "python3-minimal",
    "python3.11",
    "sed",
    "sudo",
    "systemd",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "tar",
    "tzdata",
    "udev",
    "usr-is-merged",
    "util-linux",
)
# Used for the boot partition; not unpacked into the root.
KERNEL, FIRMWARE, BUSYBOX = "linux-image-arm64", "raspi-firmware", "busybox-static"


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a package and its archive file."""

    name: str
    version: str
    file: Path


class Apt:
    """apt for a Debian release and the node's architecture, with its files below `cache`."""

    def __init__(self, cache: Path, suite: str) -> None:
        """Raises SetupError if no Debian archive is configured on this machine."""
        self._folder = (cache / f"apt-{suite}-{ARCHITECTURE}").resolve()
        self.archives = self._folder / "archives"
        for name in ("lists/partial", "archives/partial", "none"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").touch()
        archive = debian_archive().rstrip("/")
        signed = f"deb [signed-by={keyring()} arch={ARCHITECTURE}]"
        (self._folder / "sources.list").write_text(
            f"{signed} {archive} {suite} {_COMPONENTS}\n"
            f"{signed} {archive} {suite}-updates {_COMPONENTS}\n"
            f"{signed} {archive}-security {suite}-security {_COMPONENTS}\n"
        )

    def update(self) -> None:
        """Download the package lists. Raises SetupError."""
        self._run("apt-get", "update")

    def fetch_with_needs(self, names: tuple[str, ...]) -> list[Package]:
        """Download packages and their dependencies. Raises SetupError."""
        install = ("install", "-y", "--no-install-recommends")
        plan = self._run("apt-get", *install, "--simulate", *names).splitlines()
        planned = [match.groups() for line in plan if (match := _INSTALLS.match(line))]
        self._run("apt-get", *install, "--download-only", *names)
        return sorted((self._package(*each) for each in planned), key=lambda each: each.name)

    def fetch(self, *names: str) -> dict[str, Package]:
        """Download packages without dependencies, by name. Raises SetupError.

        An empty package that only depends on the newest version is replaced by that.
        """
        shown = self._show(*names)
        real = {name: _pointed_to(name, shown[name]) or name for name in names}
        shown |= self._show(*(set(real.values()) - shown.keys()))
        self._run("apt-get", "download", *real.values())  # it verifies cached files by checksum
        return {
            name: self._package(each, shown[each]["Version"], shown[each]["Architecture"])
            for name, each in real.items()
        }

    def _show(self, *names: str) -> dict[str, dict[str, str]]:
        """The fields of packages, by name."""
        if not names:
            return {}
        shown = self._run("apt-cache", "show", "--no-all-versions", *names).strip()
        records = [dict(_FIELD.findall(record)) for record in shown.split("\n\n")]
        found = {record["Package"]: record for record in records}
        if missing := [name for name in names if name not in found]:
            raise SetupError(f"not found in Debian: {', '.join(missing)}")
        return found

    def _package(self, name: str, version: str, architecture: str) -> Package:
        file = f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
        return Package(name, version, self.archives / file)

    def _run(self, program: str, *arguments: str) -> str:
        options = {
            "APT::Architecture": ARCHITECTURE,
            "APT::Architectures": ARCHITECTURE,
            "APT::Sandbox::User": "root",  # otherwise apt downloads as its own user
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "20",
            "Dir::Cache": self._folder,
            "Dir::Cache::archives": self.archives,
            "Dir::Etc::sourcelist": self._folder / "sources.list",
            "Dir::Etc::sourceparts": self._folder / "none",
            "Dir::Etc::preferencesparts": self._folder / "none",
            "Dir::State::lists": self._folder / "lists",
            "Dir::State::status": self._folder / "status",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return run([program, *words, *arguments], cwd=self.archives)


def _pointed_to(name: str, fields: dict[str, str]) -> str | None:
    newest = re.match(rf"({re.escape(name.rpartition('-')[0])}-\d\S*)", fields.get("Depends", ""))
    return newest[1] if newest else None


def unpack(packages: list[Package], root: Path) -> None:
    """Unpack packages with owners and modes. Raises SetupError."""
    for name in ("bin", "lib", "sbin"):  # Debian keeps them as links into /usr
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        unpack_one(package, root)


def unpack_one(package: Package, root: Path, *members: str) -> None:
    """Unpack one package, or only some of its files. Raises SetupError."""
    root.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package.file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reading:
        extract = ["tar", "--extract", "--preserve-permissions", "--keep-directory-symlink", "--file=-"]
        done = subprocess.run(
            [*extract, f"--directory={root}", *members],
            stdin=reading.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or (reading.wait() and not members):
            raise SetupError(f"{package.file.name} cannot be unpacked: {done.stderr.strip()}")


def prune(root: Path, patterns: list[str]) -> None:
    """Remove files and folders that a node never needs, given as globs below the root."""
    for pattern in patterns:
        for path in root.glob(pattern):
            run(["rm", "-rf", str(path)])
