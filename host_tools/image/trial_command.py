"""`python -m host_tools image-test NAME`: boot a built image in qemu and check that it works.

Exit codes: 0 success, 1 a check failed, 2 wrong usage, 130 interrupted.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from ..setup.debs import SetupError
from . import proofs
from .cuts import survives_cuts
from .emulate import MACHINES, Emulator, Machine
from .guest import GuestError
from .tools import need_tools
from .trial import Trial
from .updates import refuses_a_broken_version, takes_a_new_version

_LOGS = "console.log, qemu.log, neighbour/*.log"
Proof = Callable[[Trial, Emulator], str]
_RUNS: dict[str, Proof] = {
    "boot to a healthy service": proofs.boots,
    "meters are read": proofs.reads_meters,
    "contract with the neighbour": proofs.contracts,
}
_CUTS: dict[str, Proof] = {"power cuts during writes": survives_cuts}
_WHOLE: dict[str, Proof] = {
    **_RUNS,
    "no other open ports": proofs.is_closed,
    "names in the local network": proofs.finds_names,
    "data partition has grown": proofs.has_grown,
    "memory of the service": proofs.is_small,
    "writes to the card": proofs.writes_little,
    "update to a new version": takes_a_new_version,
    "roll back of a broken version": refuses_a_broken_version,
    **_CUTS,
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `image-test`."""
    parser = commands.add_parser("image-test", help="boot the image of a node in qemu and check it")
    parser.add_argument("name", help="name of the node; build its image first")
    parser.add_argument(
        "--machine",
        choices=[*MACHINES, "both"],
        default="both",
        help="emulated machine: virt (generic, fast), raspi3b (Raspberry Pi 3) or both (default)",
    )
    parser.add_argument(
        "--image", type=Path, default=Path("build/image"), help="folder of the images (default build/image)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="random seed for the times of the power cuts (default 1)"
    )
    parser.add_argument("--cuts", type=int, default=3, help="number of power cuts (default 3; 0: none)")
    parser.add_argument(
        "--only-cuts", action="store_true", help="only boot, check the contract, and cut the power"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/image-test"),
        help="folder for reports and logs (default build/image-test)",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the checks; returns the exit code."""
    source = options.image / options.name / "sd.img"
    if not source.is_file():
        print(f"{source} not found; build it with: make image NODE={options.name}", file=sys.stderr)
        return 2
    if options.cuts < 0:
        print("--cuts must be at least 0", file=sys.stderr)
        return 2
    chosen = [machine for name, machine in MACHINES.items() if options.machine in (name, "both")]
    for machine in chosen:
        if code := _try(machine, source, options):
            return code
    return 0


def _try(machine: Machine, source: Path, options: argparse.Namespace) -> int:
    """Run the checks on one machine; returns the exit code."""
    folder = (options.out / machine.name).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"{machine.name}:", flush=True)
    trial = Trial(options.name, machine, source, folder, options.seed, options.cuts)
    try:
        need_tools(emulator=True)
        missed = _run(trial, _chosen(options))
    except (SetupError, GuestError, OSError, subprocess.SubprocessError) as error:
        print(f"FAILED: {error}", *_last_words(folder / "qemu.log"), sep="\n", file=sys.stderr)
        print(f"logs in {folder}: {_LOGS}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    (folder / "report.json").write_text(json.dumps(trial.report | {"missed": missed}, indent=2) + "\n")
    if missed:
        print(f"{len(missed)} checks failed: {', '.join(missed)}; logs in {folder}: {_LOGS}", file=sys.stderr)
        return 1
    trial.card.unlink()
    print(f"all checks passed; details in {folder}/report.json")
    return 0


def _chosen(options: argparse.Namespace) -> dict[str, Proof]:
    chosen = _RUNS | _CUTS if options.only_cuts else _WHOLE
    return {name: proof for name, proof in chosen.items() if options.cuts or name not in _CUTS}


def _last_words(log: Path) -> list[str]:
    """The end of qemu's log, which shows why a machine did not start."""
    return [f"  {line}" for line in log.read_text(errors="replace").splitlines()[-3:]] if log.exists() else []


def _run(trial: Trial, steps: dict[str, Proof]) -> dict[str, str]:
    """Run the checks; returns the reasons of those that failed. Raises GuestError if the machine is lost."""
    _step("prepare card and cluster", trial.prepare)
    with ExitStack() as stack:
        stack.enter_context(trial.neighbour)
        machine = trial.emulator(stack.enter_context(trial.meter()))
        stack.callback(machine.cut_power)
        return run_all(
            {name: partial(step, trial, machine) for name, step in steps.items()}, lambda: machine.running
        )


def run_all(steps: dict[str, Callable[[], str | None]], going_on: Callable[[], bool]) -> dict[str, str]:
    """Run steps that do not depend on one another; returns the reasons of those that failed, by name.

    The first step starts the machine: without it, or when the machine has stopped, nothing else can run.
    Raises GuestError.
    """
    missed: dict[str, str] = {}
    for number, (name, step) in enumerate(steps.items()):
        try:
            _step(name, step)
        except (SetupError, GuestError, OSError, subprocess.SubprocessError) as error:
            if number == 0 or not going_on():
                raise GuestError(
                    f"{name}: {error}; not run: {', '.join(list(steps)[number + 1 :]) or 'none'}"
                ) from error
            missed[name] = str(error)
            print(f"FAILED  {name}: {error}", flush=True)
    return missed


def _step(name: str, work: Callable[[], str | None]) -> None:
    """Run a step and print a line when it is done; on a terminal also its name while it runs."""
    if sys.stdout.isatty():
        print(f"       .. {name}", end="\r", flush=True)
    began_s = time.monotonic()
    found = work()
    print(f"{time.monotonic() - began_s:6.0f} s  {name}" + (f": {found}" if found else ""), flush=True)
