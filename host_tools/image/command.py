"""`python -m host_tools image NAME`: build the SD-card image of one node.

Exit codes: 0 built, 1 the build failed, 2 wrong usage, 130 interrupted.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..deploy.fleet_hosts import FleetFileError, gates_of
from ..setup.debs import SetupError
from .build import ImageJob, build, save
from .disk import MIB
from .tools import need_tools

_PROVISIONED = (
    "config/node.toml",
    "config/mosquitto.conf",
    "config/authorized_keys",
    "keys/node.key",
    "keys/node.crt",
    "keys/trust.key",
    "keys/trust.identity",
    "keys/trust.authority",
    "signers",
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `image`."""
    parser = commands.add_parser("image", help="build the SD-card image of a node (Raspberry Pi 3)")
    parser.add_argument("name", help="name of the node; run `provision` for it first")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/image"),
        help="output folder; the image is NAME/sd.img in it (default build/image)",
    )
    parser.add_argument(
        "--suite", default="bookworm", choices=["bookworm"], help="Debian release (default bookworm)"
    )
    parser.add_argument(
        "--fleet",
        type=Path,
        default=Path("build/fleet"),
        help="output folder of `provision` (default build/fleet)",
    )
    parser.add_argument(
        "--deploy",
        type=Path,
        default=Path("deploy"),
        help="folder with fleet.toml and nodes/ (default deploy)",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Build the image; returns the exit code."""
    known = sorted(file.stem for file in (options.deploy / "nodes").glob("*.toml"))
    if options.name not in known:
        names = ", ".join(known) or "none"
        print(f"{options.deploy / 'nodes'}: unknown node {options.name}; nodes: {names}", file=sys.stderr)
        return 2
    try:
        machine = gates_of(options.deploy).machine(options.name)
    except FleetFileError as error:
        print(error, file=sys.stderr)
        return 2
    if machine != options.name:
        print(
            f"{options.name} is on the machine of {machine}: its card is that of {machine}", file=sys.stderr
        )
        return 2
    job = ImageJob(
        options.name,
        options.suite,
        options.fleet / options.name,
        Path("build/cache"),
        options.out / options.name,
    )
    missing = [file for file in _PROVISIONED if not (job.provisioned / file).is_file()]
    if missing:
        print(f"{job.provisioned}: {', '.join(missing)} not found", file=sys.stderr)
        print(f"create them with: python -m host_tools provision {options.name}", file=sys.stderr)
        return 2
    try:
        need_tools()
        report = build(job)
    except (SetupError, OSError, subprocess.CalledProcessError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    save(report, job.steps, job.out / "image.json")
    _show(report, job)
    return 0


def _show(report: dict[str, Any], job: ImageJob) -> None:
    for name, file in report["files"].items():
        sizes = f"{file['bytes'] / MIB:6.1f} MiB, {file['on_disk'] / MIB:6.1f} on disk"
        print(f"{name:<10} {sizes}  sha256 {file['sha256']}")
    seconds, packages = sum(job.steps.seconds.values()), len(report["packages"])
    print(f"release {report['release']}, {packages} packages, {seconds:.0f} s; details in image.json")
