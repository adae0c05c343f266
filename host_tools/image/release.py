"""The factory release: the service and its libraries for the node's architecture, baked into the root."""

import hashlib
import json
import shutil
import sys
import time
import tomllib
from pathlib import Path

from ..setup.debs import REPOSITORY, run
from .configure import compile_for_node

_PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_34_aarch64")
FACTORY = "opt/edge/factory"


def factory(root: Path, cache: Path) -> str:
    """Build it under the root; returns its ID. Raises SetupError."""
    folder = root / FACTORY
    library = folder / "lib"
    library.mkdir(parents=True)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    target = ["--target", str(library), "--cache-dir", str((cache / "pip").resolve())]
    run(
        [
            *pip,
            *target,
            *platforms,
            "--python-version",
            "311",
            "--only-binary=:all:",
            *project["dependencies"],
        ]
    )
    shutil.copytree(REPOSITORY / "edge", library / "edge", ignore=shutil.ignore_patterns("__pycache__"))
    compile_for_node([str(library)], root, Path("/"))
    files = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(library.rglob("*")) if path.is_file()
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:10]
    release = {
        "id": f"{project['version']}-{digest}",
        "version": project["version"],
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "arch": "aarch64",
        "python": "3.11",
        "files": files,
    }
    (folder / "release.json").write_text(json.dumps(release, indent=1) + "\n")
    return str(release["id"])
