"""Idle CPU of the service on a Raspberry Pi 3, from a count of instructions in the booted image.

With `-icount shift=0` qemu advances the clock of the guest by one nanosecond for each instruction. So the CPU
time of the service in nanoseconds, as its kernel reports it, is its number of instructions, system calls
included. The number of instructions per cycle of a Cortex-A53 is an assumption, stated beside the result. The
node is idle: it reads its meters, sends heartbeats, observes and predicts, and has nothing to train on yet.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..image.emulate import MACHINES, Machine
from ..image.guest import SERVICE_GROUP, Guest, GuestError
from ..image.tools import need_tools
from ..image.trial import Trial
from .sheet import Part, Sheet

CLOCK_HZ = 1.2e9  # of a Pi 3
IPC = 0.5  # instructions per cycle; assumed for an in-order core running an interpreter
METHOD = "qemu -icount shift=0: CPU time of edge.service in ns = instructions, user and kernel"
_BOOT_S, _SETTLE_S, _REST_S = 1200.0, 60.0, 120.0


def measure(name: str, images: Path, folder: Path) -> dict[str, Any]:
    """Boot the image of a node, wait until it is idle, and count. Raises SetupError, GuestError."""
    need_tools(emulator=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    trial = Trial(name, _counted(MACHINES["virt"]), images / name / "sd.img", folder.resolve(), past_days=0)
    trial.prepare()
    with ExitStack() as stack:
        stack.enter_context(trial.neighbour)
        machine = trial.emulator(stack.enter_context(trial.meter()))
        stack.callback(machine.cut_power)
        machine.start()
        trial.guest.wait_for("health", _BOOT_S, lambda: trial.guest.ask("/health"), lambda: machine.running)
        time.sleep(_SETTLE_S)
        before, began_s = _counts(trial.guest), time.monotonic()
        time.sleep(_REST_S)
        after, seconds = _counts(trial.guest), time.monotonic() - began_s
        if any(scope["working"] for scope in trial.guest.ask("/learning")["scopes"].values()):
            raise GuestError("a training was running, so the node was not idle")
    trial.card.unlink()
    return figures(after[0] - before[0], after[1] - before[1], seconds)


def _counted(machine: Machine) -> Machine:
    """The machine with one core, because only then can instructions be counted."""
    words = list(machine.arguments)
    words[words.index("-smp") + 1] = "1"
    return replace(machine, arguments=(*words, "-icount", "shift=0,sleep=on"), boot_s=_BOOT_S)


def _counts(guest: Guest) -> tuple[float, float]:
    """Instructions of the service so far, and the guest's clock in seconds."""
    said = guest.run(f"cat {SERVICE_GROUP}/cpu.stat /proc/uptime")
    used_us = re.search(r"^usage_usec (\d+)$", said, re.MULTILINE)
    assert used_us is not None, said
    return int(used_us[1]) * 1e3, float(said.splitlines()[-1].split()[0])


def figures(instructions: float, guest_s: float, host_s: float) -> dict[str, Any]:
    """The figures for a count over `guest_s` of guest time, which took `host_s` of real time."""
    per_s = instructions / guest_s
    return {
        "method": METHOD,
        "instructions_per_s": round(per_s),
        "assumed_instructions_per_cycle": IPC,
        "clock_hz": CLOCK_HZ,
        "percent_of_a_core": round(100 * per_s / (IPC * CLOCK_HZ), 2),
        "guest_s": round(guest_s, 1),
        "host_s": round(host_s, 1),  # if longer than guest_s, the emulator was late and the count is too high
    }


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    row = (
        f"{found['instructions_per_s']:,}",
        str(found["assumed_instructions_per_cycle"]),
        str(found["percent_of_a_core"]),
    )
    yield Sheet(
        "the idle service in the emulated machine",
        ("instructions per second", "assumed instructions per cycle", "% of a Pi 3 core"),
        [row],
        (found["method"],),
    )


def part(node: str) -> Part:
    """The benchmark with the image of a node."""
    return Part("cpu", lambda folder: measure(node, Path("build/image"), folder / "cpu"), _sheets)
