"""Bundle the libraries of the dashboard: `python -m host_tools.page.vendor`. Needs npm and internet.

Each bundle is one file in edge/api/static, made once by esbuild and committed. `vendored.json` lists what is
in it: versions, licences, the checksum of each package in the registry, and that of the file. A node needs
none of this: it serves the files as they are.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

STATIC = Path(__file__).parents[2] / "edge" / "api" / "static"
LIST = STATIC.parent / "vendored.json"
COMMAND = "python -m host_tools.page.vendor"
ESBUILD = "0.28.2"
OPTIONS = ("--bundle", "--minify", "--format=esm", "--target=es2020")
PACKAGES = {
    "uplot": "1.6.32",
    "preact": "11.2.0",
    "@preact/signals": "2.11.4",
    "htm": "3.1.1",
}
PREACT = """
import htm from "htm";
import { h } from "preact";
export { Fragment, h, render } from "preact";
export { useEffect, useErrorBoundary, useMemo, useRef, useState } from "preact/hooks";
export { batch, computed, effect, signal } from "@preact/signals";
export const html = htm.bind(h);
"""
BUNDLES = {"uplot.js": 'export { default } from "uplot";', "preact.js": PREACT}
COPIES = {"uplot.css": "uplot/dist/uPlot.min.css"}
LICENCES = "licences.txt"


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make(folder: Path) -> dict[str, Any]:
    """Install the packages into `folder`, write the bundles, and return the list."""
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    _run(folder, "npm", "init", "-y")
    _run(folder, "npm", "install", "--no-audit", "--no-fund", "--save-exact", *wanted, f"esbuild@{ESBUILD}")
    modules = folder / "node_modules"
    for name, entry in BUNDLES.items():
        (folder / f"entry-{name}").write_text(entry)
        out = f"--outfile={STATIC / name}"
        _run(folder, "node_modules/.bin/esbuild", f"entry-{name}", *OPTIONS, out)
    for name, source in COPIES.items():
        (STATIC / name).write_bytes((modules / source).read_bytes().rstrip() + b"\n")
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    packages = {
        path.removeprefix("node_modules/"): {
            "version": each["version"],
            "licence": each["license"],
            "integrity": each["integrity"],
        }
        for path, each in sorted(locked.items())
        if path and "esbuild" not in path
    }
    (STATIC / LICENCES).write_text(_licences(modules, packages))
    files = [*BUNDLES, *COPIES, LICENCES]
    return {
        "command": COMMAND,
        "esbuild": f"{ESBUILD} {' '.join(OPTIONS)}",
        "packages": packages,
        "files": {name: checksum(STATIC / name) for name in sorted(files)},
    }


def _licences(modules: Path, packages: dict[str, Any]) -> str:
    parts = []
    for name, each in packages.items():
        text = next(path for path in (modules / name).iterdir() if path.name.lower().startswith("licen"))
        parts.append(f"{name} {each['version']} ({each['licence']})\n\n{text.read_text().strip()}\n")
    return f"\n{'-' * 78}\n\n".join(parts)


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Make the bundles and the list."""
    with tempfile.TemporaryDirectory() as folder:
        found = make(Path(folder))
    LIST.write_text(json.dumps(found, indent=2) + "\n")
    for name in found["files"]:
        print(f"{name}: {(STATIC / name).stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
