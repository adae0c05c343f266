"""The releases on a node, their links, and the health of the running node."""

import hashlib
import json
import os
import tomllib
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from .manifest import Refused, checked_id, damaged, here, manifest_of, sha256

ROOT = Path(os.environ.get("EDGE_ROOT", "/"))  # sudo removes such variables
BASE = ROOT / "data/edge"
RELEASES = BASE / "releases"
FACTORY = ROOT / "opt/edge/factory"
TRIAL = BASE / "trial.json"
STARTS = BASE / "state/starts.json"  # the launcher's count
FOLDERS = {"config": 0o755, "keys": 0o750}  # folders that are replaced as a whole: mode
PROTOCOL = 2  # between this and the deployment tool


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


def verify(folder: Path) -> None:
    """Check that a release has exactly the files of its manifest, with the right content. Raises Refused."""
    if wrong := damaged(folder, manifest_of(folder)):
        named = ", ".join(wrong[:3]) + (" and more" if len(wrong) > 3 else "")
        raise Refused(f"release {folder.name}: {len(wrong)} files missing, corrupt or unexpected: {named}")


def is_sound(folder: Path) -> bool:
    """Whether a release is complete and unchanged."""
    with suppress(Refused):
        manifest = manifest_of(folder)
        return manifest["id"] == folder.name and not damaged(folder, manifest)
    return False


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
        host = api.get("host", "127.0.0.1")
        url = f"http://{f'[{host}]' if ':' in host else host}:{api.get('port', 8080)}/health"
        with urllib.request.urlopen(url, timeout=3) as response:
            answer = json.loads(response.read(1 << 20))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, HTTPException):
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
        "damaged": [path.name for path in releases() if not is_sound(path)],
        **{name: folder_digest(BASE / name) for name in FOLDERS},
        "trial": TRIAL.exists(),
        "health": health(),
    }
