"""The initial data partition of a node: its folders, configuration and keys."""

import os
import shutil
from pathlib import Path

from .configure import account

# folder, owner, group, mode. sshd requires that root owns every folder above authorized_keys.
_FOLDERS = (
    ("edge", "root", "root", 0o755),
    ("edge/releases", "root", "root", 0o755),
    ("edge/config", "root", "root", 0o755),
    ("edge/keys", "root", "edge", 0o750),
    ("edge/state", "edge", "edge", 0o700),
    ("mosquitto", "mosquitto", "mosquitto", 0o700),
    ("mosquitto/keys", "mosquitto", "mosquitto", 0o700),
    ("ssh", "root", "root", 0o700),
    ("clock", "systemd-timesync", "systemd-timesync", 0o755),
)
_PRIVATE = (".key",)
_OF_BROKER = ("ca.crt", "node.crt", "node.key")  # what it needs of the keys


def data_tree(provisioned: Path, root: Path, folder: Path) -> None:
    """Fill `folder` with the content of /data; the ids of accounts are read from `root`."""
    folder.mkdir()
    folder.chmod(0o755)
    for name, owner, group, mode in _FOLDERS:
        (folder / name).mkdir()
        _give(root, folder / name, owner, group, mode)
    for source in sorted((provisioned / "config").iterdir()):
        target = folder / "edge/config" / source.name
        shutil.copyfile(source, target)
        _give(root, target, "root", "root", 0o644)
    for source in sorted((provisioned / "keys").iterdir()):
        private = source.suffix in _PRIVATE
        places = [(folder / "edge/keys", "edge")]
        if source.name in _OF_BROKER:
            places.append((folder / "mosquitto/keys", "mosquitto"))
        for place, owner in places:
            shutil.copyfile(source, place / source.name)
            _give(root, place / source.name, owner, owner, 0o600 if private else 0o644)


def _give(root: Path, path: Path, owner: str, group: str, mode: int) -> None:
    os.chown(path, account(root, owner)[0], account(root, group)[1])
    path.chmod(mode)
