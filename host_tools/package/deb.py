"""The Debian package for Debian 12 and Raspberry Pi OS 12: a release as of `make deploy`, with its unit.

It holds /opt/edge/lib (the service and its wheels, no virtual environment), the command `microgrid-edge`, a
systemd unit and its user. The configuration is /etc/microgrid-edge/node.toml; until it exists, the unit does
not start. Built by dpkg-deb, without debhelper, so that no more than dpkg is needed.
"""

import re
import shutil
import tempfile
from pathlib import Path

from ..deploy.release import ReleaseError, build_release
from ..deploy.wheels import PYTHON, WheelError, project
from ..setup.debs import REPOSITORY
from .build import DIST, PackageError, output, say, step

ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}
UNIT, CONFIG, STATE = "microgrid-edge.service", "/etc/microgrid-edge/node.toml", "microgrid-edge"
_UNIT = REPOSITORY / "deploy/rootfs/usr/lib/systemd/system/edge.service"
_EXAMPLE = REPOSITORY / "deploy/nodes/gym.toml"
_LEFT_OUT = re.compile(
    r"^(# First undo|ExecStartPre=|ExecStopPost=|RequiresMountsFor=|InaccessiblePaths=).*\n", re.M
)
_CONTROL = """\
Package: microgrid-edge
Version: {version}
Architecture: {architecture}
Maintainer: The microgrid-edge maintainers <maintainers@microgrid-edge.invalid>
Installed-Size: {size_kib}
Depends: python3 (>= 3.11), python3 (<< 3.12), systemd
Recommends: mosquitto
Section: net
Priority: optional
Homepage: https://github.com/microgrid-edge/microgrid-edge
Description: coordination service for microgrid meter nodes
 Reads meters over Modbus, negotiates energy contracts with neighbours over MQTT, and
 learns to predict its own state, in 64 MB of memory.
"""
_POSTINST = f"""\
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    systemd-sysusers microgrid-edge.conf
    if [ -z "$2" ]; then  # not an update: whoever disables or stops the unit means it
        systemctl enable --quiet {UNIT}
    fi
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        if [ -z "$2" ]; then action=start; else action=try-restart; fi
        systemctl $action {UNIT} || echo "{UNIT} does not start: journalctl -u {UNIT} says why" >&2
    fi
fi
"""
_PRERM = f"""\
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl stop {UNIT}
fi
"""
_POSTRM = f"""\
#!/bin/sh
set -e
if [ "$1" = purge ]; then
    rm -rf /var/lib/{STATE} /etc/systemd/system/multi-user.target.wants/{UNIT}
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
"""
_COMMAND = """\
#!/bin/sh
export PYTHONPATH=/opt/edge/lib PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -sP -m edge "$@"
"""
_USER = f'u edge - "Microgrid node" /var/lib/{STATE}\nm edge dialout\n'


def build_deb(arch: str, folder: Path = DIST) -> Path:
    """The package for an architecture, as in `uname -m`. Raises PackageError."""
    folder.mkdir(parents=True, exist_ok=True)
    version, _ = project()
    made = folder / f"microgrid-edge_{version}_{ARCHITECTURES[arch]}.deb"
    with step(f"build {made.name}"), tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        _fill(root, arch)
        _describe(root, version, ARCHITECTURES[arch])
        output(["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", str(root), str(made)], folder)
    say(f"{made.name}: {made.stat().st_size / 1e6:.1f} MB")
    return made


def _fill(root: Path, arch: str) -> None:
    try:
        release = build_release(arch, PYTHON)
    except (ReleaseError, WheelError) as error:
        raise PackageError(str(error)) from None
    shutil.copytree(release.folder / "lib", root / "opt/edge/lib")
    files = {
        "usr/bin/microgrid-edge": _COMMAND,
        f"usr/lib/systemd/system/{UNIT}": unit(_UNIT.read_text()),
        "usr/lib/sysusers.d/microgrid-edge.conf": _USER,
        "usr/share/doc/microgrid-edge/copyright": (REPOSITORY / "LICENSE").read_text(),
        "usr/share/doc/microgrid-edge/node.toml": example(_EXAMPLE.read_text()),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "etc/microgrid-edge").mkdir(parents=True)
    for path in root.rglob("*"):  # for any umask of the builder
        path.chmod(0o755 if path.is_dir() or path == root / "usr/bin/microgrid-edge" else 0o644)


def unit(shipped: str) -> str:
    """The unit of the image, with the paths of a package."""
    text = _LEFT_OUT.sub("", shipped)
    text = text.replace(
        "ExecStart=/usr/lib/edge/launch", f"ExecStart=/usr/bin/microgrid-edge run --config {CONFIG}"
    )
    text = text.replace("ReadWritePaths=/data/edge/state", f"StateDirectory={STATE}\nStateDirectoryMode=0700")
    return text.replace("[Unit]\n", f"[Unit]\nConditionPathExists={CONFIG}\n")


def example(shipped: str) -> str:
    """The configuration of a node, with the state folder that the unit of the package may write."""
    text = shipped.replace(" Shared settings are in ../fleet.toml.", "").replace(".venv/bin/", "")
    return text.replace('"/data/edge/state"', f'"/var/lib/{STATE}"')


def _describe(root: Path, version: str, architecture: str) -> None:
    size_kib = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) // 1024
    control = root / "DEBIAN"
    control.mkdir(mode=0o755)
    text = _CONTROL.format(version=version, architecture=architecture, size_kib=size_kib)
    (control / "control").write_text(text)
    for name, script in (("postinst", _POSTINST), ("prerm", _PRERM), ("postrm", _POSTRM)):
        (control / name).write_text(script)
        (control / name).chmod(0o755)


def contents(deb: Path) -> str:
    """The files of a package with owners and modes. Raises PackageError."""
    return output(["dpkg-deb", "--contents", str(deb)], deb.parent)
