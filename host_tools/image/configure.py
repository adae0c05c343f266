"""Configures the root from outside, in place of maintainer scripts: accounts, units, identity."""

import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from ..setup.debs import SetupError, run

PYTHON_VERSION = "3.11"  # of the node; it cannot read the byte code of another version
_LIBRARIES = ("usr/lib/python3.11", "usr/lib/python3", "usr/lib/edge")


def accounts(root: Path) -> None:
    """Create the accounts of Debian, its services and ours, without passwords. Raises SetupError."""
    masters, etc = root / "usr/share/base-passwd", root / "etc"
    shutil.copy(masters / "passwd.master", etc / "passwd")
    shutil.copy(masters / "group.master", etc / "group")
    names = (root / "usr/share/libc-bin/nsswitch.conf").read_text()
    (etc / "nsswitch.conf").write_text(by_multicast(names))
    run(["systemd-sysusers", f"--root={root}"])
    no_passwords(etc)
    for left in (*etc.glob("*-"), *etc.glob(".*lock")):
        left.unlink()


def no_passwords(etc: Path) -> None:
    """Write password files without hashes. `*` matches no password; `!` also locks root for sshd."""
    entries = [line.split(":") for line in (etc / "passwd").read_text().splitlines()]
    (etc / "passwd").write_text("".join(":".join([name, "x", *rest]) + "\n" for name, _, *rest in entries))
    groups = [line.split(":") for line in (etc / "group").read_text().splitlines()]
    (etc / "group").write_text("".join(":".join([name, "x", *rest]) + "\n" for name, _, *rest in groups))
    shadow = "".join(f"{name}:{'!*' if name == 'root' else '*'}:::::::\n" for name, *_ in entries)
    gshadow = "".join(f"{name}:!::{members}\n" for name, _, _, members in groups)
    for file, text in (("shadow", shadow), ("gshadow", gshadow)):
        (etc / file).write_text(text)
        (etc / file).chmod(0o640)
        shutil.chown(etc / file, 0, 42)  # group shadow of Debian


def by_multicast(names: str) -> str:
    """nsswitch.conf in which host names are resolved by systemd-resolved, which knows NAME.local.

    Raises SetupError.
    """
    text, count = re.subn(
        r"^hosts:.*$", "hosts: files resolve [!UNAVAIL=return] dns", names, flags=re.MULTILINE
    )
    if count != 1:
        raise SetupError("nsswitch.conf: no line for hosts")
    return text


def account(root: Path, name: str) -> tuple[int, int]:
    """User and group id of an account in this root."""
    found = re.search(
        rf"^{re.escape(name)}:[^:]*:(\d+):(\d+):", (root / "etc/passwd").read_text(), re.MULTILINE
    )
    if not found:
        raise SetupError(f"{root}/etc/passwd: no account {name}")
    return int(found[1]), int(found[2])


def lay_over(tree: Path, root: Path) -> None:
    """Copy one of our trees over the root, with fixed file modes."""
    for source in sorted(tree.rglob("*")):
        path = source.relative_to(tree)
        if any(part.startswith(".") or part == "__pycache__" for part in path.parts):
            continue  # leftovers of tools
        target = root / path
        if source.is_symlink():
            target.unlink(missing_ok=True)
            target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir(exist_ok=True)
            target.chmod(0o755)
        else:
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)
            target.chmod(_mode(source))


def _mode(source: Path) -> int:
    if source.parent.name == "sudoers.d":
        return 0o440
    return 0o755 if source.stat().st_mode & 0o100 else 0o644


def units(root: Path) -> None:
    """Enable the units in our preset and no others. Raises SetupError."""
    run(["systemctl", f"--root={root}", "preset-all"])


def identity(root: Path, name: str, seed: bytes, description: str) -> None:
    """Write the identity of the node. The machine id is derived from `seed`, so a node keeps it."""
    etc = root / "etc"
    (etc / "hostname").write_text(f"{name}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost\n")
    (etc / "machine-id").write_text(uuid.uuid5(uuid.NAMESPACE_OID, seed.hex()).hex + "\n")
    (root / "usr/lib/edge/image").write_text(f"{description}\n")
    (root / "usr/lib/clock-epoch").touch()  # systemd sets no clock to an earlier time
    for folder in ("data", "boot/firmware", "var/lib/systemd/timesync", "var/lib/private"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    home = root / "home/operator"
    home.mkdir()
    os.chown(home, *account(root, "operator"))


def signers(root: Path, file: Path) -> None:
    """Say who may release for this node; the root is read-only, so only a new card changes this list."""
    (root / "etc/edge").mkdir(exist_ok=True)
    shutil.copyfile(file, root / "etc/edge/signers")
    (root / "etc/edge/signers").chmod(0o644)


def compile_library(root: Path) -> None:
    """Compile Python's library: the root is read-only, so a node could not store byte code.

    Raises SetupError if this machine has no Python of the node's version.
    """
    python = shutil.which(f"python{PYTHON_VERSION}")
    if not python or subprocess.run([python, "-c", ""], check=False).returncode:
        raise SetupError(f"python{PYTHON_VERSION}, the version of the node, is needed to compile for it")
    command = [python, "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
    run([*command, "-s", str(root), "-p", "/", *(str(root / folder) for folder in _LIBRARIES)])
