"""`python -m host_tools image-test NAME`: boot the very image in qemu and see it work.

Its root and boot partition are those of the card; its data partition is made anew for a cluster of the trial, of
which this machine is the neighbour. Exit codes: 0 all well, 1 something was not, 2 wrong usage, 130 interrupted.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from edge.config import load

from ..broker import free_port
from ..meter.terminal import SimulatedMeter
from ..setup.debs import SetupError, run
from .emulate import MACHINES, Emulator
from .guest import Guest, GuestError
from .neighbour import Neighbour
from .tools import need_tools
from .trial_fleet import NEIGHBOUR, OUTSIDE, TrialFleet, check_data

MOST_MEMORY_MB = 64.0
_POWER_W = 400.0  # what every meter shows at the start
_SSH, _API_OFFSET = 22, 2
_DOCUMENTED = {"tcp 22", "tcp 8883"}  # besides loopback, and the DHCP client
_CUTS = 3


class Trial:
    """One machine, one card, one cluster, and what was measured."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.machine = MACHINES[options.machine]
        self.card = folder / "sd.img"
        self.folder = folder
        self.report: dict[str, Any] = {"machine": self.machine.name}
        self.swing_w = 0.0
        self._rng = random.Random(options.seed)
        self._source = options.image / options.name / "sd.img"
        self._name = options.name
        ssh_port, mqtt_port, neighbour_port = free_port(), free_port(), free_port()
        self._fleet = TrialFleet(options.name, folder, mqtt_port, neighbour_port)
        self._forwards = {ssh_port: _SSH, mqtt_port: OUTSIDE}
        self.guest = Guest(ssh_port, self._fleet.operator, folder / "known_hosts")
        self.neighbour = Neighbour(
            self._fleet.neighbour_root, neighbour_port + _API_OFFSET,
            shutil.which("mosquitto", path="/usr/sbin:/usr/bin") or "mosquitto",
        )  # fmt: skip

    def prepare(self) -> None:
        """A card of our own with the trial's data. Raises SetupError."""
        run(["cp", "--sparse=always", str(self._source), str(self.card)])
        self._fleet.make()
        self._fleet.put_on(self.card)

    def meter(self) -> SimulatedMeter:
        """The serial line of the node, as its configuration says, at the speed of the wire."""
        config = load(self.folder / f"fleet/{self._name}/config/node.toml")
        began_s = time.monotonic()

        def power_w(address: int, now_s: float) -> float:
            step = int((time.monotonic() - began_s) / 3) % 4
            return _POWER_W + 50.0 * address + self.swing_w * step

        return SimulatedMeter({each.address: each.profile for each in config.meters}, power_w, baud=9600)

    def emulator(self, meter: SimulatedMeter) -> Emulator:
        """The machine with the card in it."""
        return Emulator(self.machine, self.card, self.folder, Path(meter.port).resolve(), self._forwards)


def _boots(trial: Trial, machine: Emulator) -> str:
    began_s = time.monotonic()
    machine.start()
    health = trial.guest.wait_for(
        "health", trial.machine.boot_s, lambda: trial.guest.ask("/health"), lambda: machine.running
    )
    seconds = round(time.monotonic() - began_s, 1)
    trial.report.setdefault("boot_s", []).append(seconds)
    return f"release {health['release']}, {seconds} s after power on"


def _reads_meters(trial: Trial, machine: Emulator) -> str:
    def good() -> Any:
        bus = trial.guest.ask("/health")["meters"][0]
        return bus if bus["meters"] and all(each["good"] >= 3 for each in bus["meters"]) else None

    bus = trial.guest.wait_for("meters", 120.0, good, lambda: machine.running)
    return ", ".join(f"{each['device']} {each['good']} of {each['reads']}" for each in bus["meters"])


def _contracts(trial: Trial, machine: Emulator) -> str:
    def across() -> Any:
        parts = [
            part
            for each in trial.guest.ask("/contracts")["consumed"]
            if each["valid"]
            for part in each["parts"]
        ]
        return next((part for part in parts if part["supplier"].startswith(f"{NEIGHBOUR}.")), None)

    part = trial.guest.wait_for("a contract with the neighbour", 120.0, across, lambda: machine.running)
    supplied = [each["state"] for each in trial.neighbour.ask("/contracts")["supplied"]]
    if "valid" not in supplied:
        raise GuestError(f"the neighbour knows of no valid contract: {supplied}")
    return f"{part['power_w']:.0f} W from {part['supplier']}, valid on both sides, over MQTT with TLS"


def _is_small(trial: Trial, machine: Emulator) -> str:
    status = trial.guest.run("cat /proc/$(systemctl show -P MainPID edge)/status")
    group = trial.guest.run("cat /sys/fs/cgroup/system.slice/edge.service/memory.peak")
    free = trial.guest.run("cat /proc/meminfo")
    hwm_mb = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
    peak_mb = int(group) / 2**20
    used = [int(re.findall(rf"{key}:\s+(\d+)", free)[0]) / 1024 for key in ("MemTotal", "MemAvailable")]
    trial.report |= {
        "hwm_mb": round(hwm_mb, 1),
        "cgroup_peak_mb": round(peak_mb, 1),
        "guest_mb": round(used[0] - used[1]),
    }
    if max(hwm_mb, peak_mb) > MOST_MEMORY_MB:
        raise GuestError(f"VmHWM {hwm_mb:.1f} MB, cgroup peak {peak_mb:.1f} MB: more than {MOST_MEMORY_MB:g}")
    return f"VmHWM {hwm_mb:.1f} MB, cgroup peak {peak_mb:.1f} MB; the whole machine uses {used[0] - used[1]:.0f} MB"


def _is_closed(trial: Trial, machine: Emulator) -> str:
    open_ports = set()
    for line in trial.guest.run("ss -Hlntu").splitlines():
        kind, _, _, _, local = line.split()[:5]
        address, _, port = local.rpartition(":")
        if not address.startswith(("127.", "[::1]")) and (kind, port) not in (("udp", "68"), ("udp", "546")):
            open_ports.add(f"{kind} {port}")
    if open_ports != _DOCUMENTED:
        raise GuestError(f"open are {sorted(open_ports)}, documented {sorted(_DOCUMENTED)}")
    failed = trial.guest.run("systemctl --failed --plain --no-legend").strip()
    if failed:
        raise GuestError(f"failed units: {failed}")
    return f"open: {', '.join(sorted(open_ports))}; no unit failed"


def _survives_cuts(trial: Trial, machine: Emulator) -> str:
    identity, trial.swing_w = _host_key(trial), 120.0  # contracts change: the state is written every 5 s
    for number in range(1, _CUTS + 1):
        time.sleep(trial._rng.uniform(6.0, 16.0))
        machine.cut_power()
        print(f"    power cut {number}: {check_data(trial.card, trial.folder)}", flush=True)
        print(f"    again up: {_boots(trial, machine)}", flush=True)
        health = trial.guest.ask("/health")
        kept = trial.guest.run("journalctl -u edge -b --no-pager -o cat")
        if "set aside" in kept or health["state_failures"] or health["invariants_broken"]:
            raise GuestError(f"after cut {number} the state was not whole: {kept[-500:]}")
        if _host_key(trial) != identity:
            raise GuestError(f"after cut {number} the host key is another one")
        _contracts(trial, machine)
    return f"{_CUTS} times; file system, state, host key and contracts were there again, no repair"


def _host_key(trial: Trial) -> str:
    return (trial.folder / "known_hosts").read_text()


_STEPS = (
    ("boots to a healthy service", _boots),
    ("reads its meters", _reads_meters),
    ("trades with its neighbour", _contracts),
    ("memory of the service", _is_small),
    ("nothing else listens", _is_closed),
    ("power cuts while it writes", _survives_cuts),
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command line of `image-test`."""
    parser = commands.add_parser("image-test", help="boot the image of a node in qemu and try it")
    parser.add_argument("name", help="of the node; its image must have been built")
    parser.add_argument("--machine", choices=sorted(MACHINES), default="virt",
                        help="generic (virt, quicker) or a Raspberry Pi 3 (raspi3b); default virt")  # fmt: skip
    parser.add_argument(
        "--image", type=Path, default=Path("build/image"), help="folder (default build/image)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the power cuts (default 1)")
    parser.add_argument("--out", type=Path, default=Path("build/image-test"),
                        help="folder for the report and, after a failure, all logs (default build/image-test)")  # fmt: skip
    parser.set_defaults(command=run_trial)


def run_trial(options: argparse.Namespace) -> int:
    """Run it; returns the exit code."""
    if not (options.image / options.name / "sd.img").is_file():
        print(f"{options.image / options.name}: no sd.img: make image NODE={options.name}", file=sys.stderr)
        return 2
    folder = (options.out / options.machine).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        need_tools(emulator=True)
        trial = Trial(options, folder)
        _run(trial)
    except (SetupError, GuestError, OSError, subprocess.SubprocessError) as error:
        print(f"FAILED\n{error}\nlogs: {folder}/console.log, qemu.log, neighbour/*.log", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    (folder / "report.json").write_text(json.dumps(trial.report, indent=2) + "\n")
    trial.card.unlink()
    print(f"all well; {folder}/report.json")
    return 0


def _run(trial: Trial) -> None:
    with _step("prepares card and cluster"):
        trial.prepare()
    with ExitStack() as stack:
        stack.enter_context(trial.neighbour)
        machine = trial.emulator(stack.enter_context(trial.meter()))
        stack.callback(machine.cut_power)
        for name, step in _STEPS:
            with _step(name):
                print(f"  {step(trial, machine)}", flush=True)


@contextmanager
def _step(name: str) -> Iterator[None]:
    print(f"{name} ...", flush=True)
    began_s = time.monotonic()
    yield
    print(f"  {time.monotonic() - began_s:.0f} s", flush=True)
