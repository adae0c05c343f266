"""The releases on a node, their links, and the health of the running node."""

import hashlib
import json
import os
import platform
import re
import sys
import tomllib
import urllib.request
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(os.environ.get("EDGE_ROOT", "/"))  # sudo removes such variables
BASE = ROOT / "data/edge"
RELEASES = BASE / "releases"
FACTORY = ROOT / "opt/edge/factory"
TRIAL = BASE / "trial.json"
STARTS = BASE / "state/starts.json"  # the launcher's count
FOLDERS = {"config": 0o755, "keys": 0o750}  # folders that are replaced as a whole: mode
PROTOCOL = 1  # between this and the deployment tool

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,80}")

Manifest = dict[str, Any]


class Refused(Exception):
    """The input is invalid; nothing has been changed."""


def target(link: str) -> str | None:
    """The release that `current` or `previous` points to."""
    try:
        return os.path.basename(os.readlink(BASE / link))
    except OSError:
        return None


def release_at(name: str) -> Path:
    """The folder of a release. Raises Refused."""
    folder = RELEASES / checked_id(name)
    if not folder.is_dir():
        raise Refused(f"release {name} does not exist")
    return folder


def releases() -> list[Path]:
    """All complete releases, newest first."""
    folders = [path for path in RELEASES.glob("[!.]*") if path.is_dir()]
    return sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)


def running_id() -> str | None:
    """The running release; if none answers, the one that would be started."""
    return (health() or {}).get("release") or target("current") or factory_id()


def factory_id() -> str | None:
    """The release that came with the image."""
    with suppress(Refused):
        return str(manifest_of(FACTORY)["id"])
    return None


def here() -> tuple[str, str]:
    """Architecture and Python version of this machine, as in a manifest."""
    return platform.machine(), f"{sys.version_info.major}.{sys.version_info.minor}"


def manifest_of(folder: Path) -> Manifest:
    """The manifest of a release (release.json). Raises Refused."""
    try:
        data = (folder / "release.json").read_bytes()
    except OSError as error:
        raise Refused(f"{folder}/release.json: {error.strerror}") from None
    return parsed(data, f"{folder}/release.json")


def parsed(data: bytes, source: str) -> Manifest:
    """Parse a manifest and check that no path leaves the release. Raises Refused."""
    try:
        manifest = json.loads(data)
        checked_id(manifest["id"])
        right = all(_inside(path) and isinstance(digest, str) for path, digest in manifest["files"].items())
    except (ValueError, KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise Refused(f"{source}: not a valid manifest of a release")
    return dict(manifest)


def checked_id(name: str) -> str:
    """The id itself, if it is valid. Raises Refused."""
    if not _ID.fullmatch(name):
        raise Refused(f"{name!r} is not a valid release id")
    return name


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return parts[:1] == ("lib",) and len(parts) > 1 and ".." not in parts and "/".join(parts) == path


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """A hash of the names and contents of a folder's files; "" if there is no such folder."""
    if not folder.is_dir():
        return ""
    lines = [f"{path.name} {sha256(path)}\n" for path in sorted(folder.iterdir()) if path.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def health() -> dict[str, Any] | None:
    """The running node's answer to GET /health, or None."""
    try:
        api = tomllib.loads((BASE / "config/node.toml").read_text()).get("api", {})
        url = f"http://{api.get('host', '127.0.0.1')}:{api.get('port', 8080)}/health"
        with urllib.request.urlopen(url, timeout=3) as response:
            answer = json.loads(response.read(1 << 20))
    except (OSError, ValueError, AttributeError):
        return None
    return answer if isinstance(answer, dict) else None


def status() -> dict[str, Any]:
    """The status that a deployment needs before it begins."""
    arch, python = here()
    return {
        "protocol": PROTOCOL,
        "arch": arch,
        "python": python,
        "current": target("current"),
        "previous": target("previous"),
        "running": running_id(),
        "releases": {path.name: (path / "confirmed").exists() for path in releases()},
        **{name: folder_digest(BASE / name) for name in FOLDERS},
        "trial": TRIAL.exists(),
        "health": health(),
    }
