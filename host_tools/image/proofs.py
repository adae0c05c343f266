"""The checks of a booted image, one function each. They return a line of text or raise GuestError."""

import re
import time
from typing import Any

from edge.state import LOOK_EVERY_S
from edge.terms import SCOPES

from .disk import CardLayout
from .emulate import Emulator
from .guest import SERVICE_GROUP, GuestError
from .trial import CARD_MIB, Trial
from .trial_fleet import NEIGHBOUR

MOST_MEMORY_MB = 64.0
MOST_TRAINING_S = 3_600.0  # until each scope has been trained, in the emulator
SWING_W = 120.0  # change of the meters every 3 s: contracts change, and the state is saved every 8 s
MOST_WRITTEN_MB_A_DAY = 20.0
SETTLED_S = 120.0  # after this time a start no longer affects the writes
WATCHED_S, SAMPLES = 1_800.0, 6  # what the kernel would write only within the hour (sysctl.d) is synced
SAVES_A_DAY = 3_000  # of the state of an ordinary node: its requests per day in the scenarios
_DOCUMENTED = {"tcp 22", "tcp 8883", "udp 5353"}  # in addition to loopback and the DHCP client


def boots(trial: Trial, machine: Emulator) -> str:
    """Boot until the service answers."""
    began_s = time.monotonic()
    machine.start()
    health = trial.guest.wait_for(
        "health", trial.machine.boot_s, lambda: trial.guest.ask("/health"), lambda: machine.running
    )
    seconds = round(time.monotonic() - began_s, 1)
    trial.report.setdefault("boot_s", []).append(seconds)
    return f"release {health['release']}, {seconds} s after power-on"


def reads_meters(trial: Trial, machine: Emulator) -> str:
    """Check that every meter has good readings, over USB and the serial line."""

    def good() -> Any:
        bus = trial.guest.ask("/health")["meters"][0]
        return bus if bus["meters"] and all(each["good"] >= 3 for each in bus["meters"]) else None

    bus = trial.guest.wait_for("meters", 120.0, good, lambda: machine.running)
    return ", ".join(
        f"{each['device']} {each['good']} of {each['reads']} reads good" for each in bus["meters"]
    )


def contracts(trial: Trial, machine: Emulator) -> str:
    """Check that there is a contract with the neighbour that is valid on both sides."""

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
        raise GuestError(f"the neighbour has no valid contract: {supplied}")
    return f"{part['power_w']:.0f} W from {part['supplier']}, valid on both sides, over MQTT with TLS"


def is_small(trial: Trial, machine: Emulator) -> str:
    """Check the peak memory of the service after a training in both scopes; also reports the whole machine.

    The control group also counts page cache, which grows up to the limit and is then reclaimed.
    """

    def trained() -> bool:
        scopes = trial.guest.ask("/learning")["scopes"].values()
        return len(scopes) == len(SCOPES) and all(each["trainings"] for each in scopes)

    trial.guest.wait_for("a training in both scopes", MOST_TRAINING_S, trained, lambda: machine.running)
    unit = trial.guest.run("systemctl show -p MainPID -p NRestarts edge").replace("=", " ")
    pid, restarts = _amount(unit, "MainPID"), _amount(unit, "NRestarts")
    hwm_mb = _amount(trial.guest.run(f"cat /proc/{pid}/status"), "VmHWM:") / 1024
    names = ("max", "peak", "stat", "events")
    group = {name: trial.guest.run(f"cat {SERVICE_GROUP}/memory.{name}") for name in names}
    peak_mb, anon_mb = int(group["peak"]) / 2**20, _amount(group["stat"], "anon") / 2**20
    kills, limit_mb = _amount(group["events"], "oom_kill"), int(group["max"]) / 2**20
    free = trial.guest.run("cat /proc/meminfo")
    whole_mb = (_amount(free, "MemTotal:") - _amount(free, "MemAvailable:")) / 1024
    trial.report |= {
        "hwm_mb": round(hwm_mb, 1),
        "anon_mb": round(anon_mb, 1),
        "cgroup_peak_mb": round(peak_mb, 1),
        "guest_mb": round(whole_mb),
    }
    found = (
        f"VmHWM {hwm_mb:.1f} MB, {anon_mb:.1f} of it anonymous; with page cache at most "
        f"{peak_mb:.1f} of {limit_mb:g} MB, OOM kills: {kills}, restarts: {restarts}; "
        f"the whole machine uses {whole_mb:.0f} MB"
    )
    if hwm_mb > MOST_MEMORY_MB or limit_mb > MOST_MEMORY_MB or kills or restarts:
        raise GuestError(f"{found}; at most {MOST_MEMORY_MB:g} MB are allowed")
    return found


def _amount(text: str, name: str) -> int:
    """The number after a name at the beginning of a line."""
    return int(re.findall(rf"^{name}\s+(\d+)", text, re.MULTILINE)[0])


def is_closed(trial: Trial, machine: Emulator) -> str:
    """Check that only the ports listed in docs/security.md are open and that no unit failed."""
    open_ports = set()
    for line in trial.guest.run("ss -Hlntu").splitlines():
        kind, _, _, _, local = line.split()[:5]
        address, _, port = local.rpartition(":")
        if not address.startswith(("127.", "[::1]")) and (kind, port) not in (("udp", "68"), ("udp", "546")):
            open_ports.add(f"{kind} {port}")
    if open_ports != _DOCUMENTED:
        raise GuestError(f"open ports {sorted(open_ports)} differ from the documented {sorted(_DOCUMENTED)}")
    failed = trial.guest.run("systemctl --failed --plain --no-legend").strip()
    if failed:
        raise GuestError(f"failed units: {failed}")
    return f"open ports: {', '.join(sorted(open_ports))}; no unit failed"


def has_grown(trial: Trial, machine: Emulator) -> str:
    """Check that the data partition has grown to the size of the card."""
    size_mb = int(trial.guest.run("df --output=size -B 1M /data").split()[-1])
    least_mb = 0.9 * (CARD_MIB - CardLayout().root.end_mib)
    if size_mb < least_mb:
        raise GuestError(
            f"/data has {size_mb} MB of a card of {CARD_MIB} MB, expected at least {least_mb:.0f} MB"
        )
    return f"/data has {size_mb} MB on a card of {CARD_MIB} MB; {CardLayout().data.size_mib} MB in the image"


def writes_little(trial: Trial, machine: Emulator) -> str:
    """Check the data written to the card per day, from half an hour idle and as long with changing contracts.

    An ordinary day is calculated: the idle rate plus SAVES_A_DAY saves of the state.
    """
    a_day, spread = {}, {}
    time.sleep(SETTLED_S)
    for name, swing_w in (("at rest", 0.0), ("contracts changing all the time", SWING_W)):
        trial.swing_w = swing_w
        time.sleep(10)  # until the meters show it
        trial.guest.run("sync")
        samples = [
            _written_mb(trial, WATCHED_S / SAMPLES, last=each == SAMPLES - 1) * 86_400 * SAMPLES / WATCHED_S
            for each in range(SAMPLES)
        ]
        a_day[name] = round(sum(samples) / SAMPLES, 1)
        spread[name] = [round(min(samples), 1), round(max(samples), 1)]
    trial.swing_w = 0.0
    resting, changing = a_day.values()
    save_mb = (changing - resting) / (
        86_400 / (2 * (LOOK_EVERY_S + 1.0))
    )  # every second look, a look with a tick
    ordinary = f"with {SAVES_A_DAY} saves"
    a_day[ordinary] = round(resting + SAVES_A_DAY * save_mb, 1)
    trial.report |= {
        "written_mb_a_day": a_day,
        "samples_mb_a_day": spread,
        "save_kb": round(1e3 * save_mb, 2),
    }
    found = ", ".join(f"{mb} MB a day {name}" for name, mb in a_day.items())
    found += f", {1e3 * save_mb:.1f} kB each; from {WATCHED_S:g} s each, in samples {spread}"
    if a_day[ordinary] > MOST_WRITTEN_MB_A_DAY:
        raise GuestError(f"{found}; at most {MOST_WRITTEN_MB_A_DAY:g} are allowed {ordinary}")
    return found


def finds_names(trial: Trial, machine: Emulator) -> str:
    """Check that the resolver of the node asks the local network for names, and answers to its own.

    qemu's network carries no multicast, so a neighbour cannot be found this way here.
    """
    name = f"{trial.name}.local"
    own = trial.guest.run(f"getent ahosts {name}").split()
    links = trial.guest.run("resolvectl mdns")
    if not own or "yes" not in links:
        raise GuestError(f"{name} is {own or 'unknown'}; resolvectl mdns: {links.strip()}")
    return f"{name} is {own[0]}; multicast DNS is on"


def _written_mb(trial: Trial, seconds: float, last: bool) -> float:
    """In the next seconds; the last sample has what the kernel would write only later, too."""

    def sectors() -> int:
        return int(
            trial.guest.run("cat /sys/block/vda/stat /sys/block/mmcblk0/stat 2>/dev/null; true").split()[6]
        )

    before = sectors()
    time.sleep(seconds)
    if last:
        trial.guest.run("sync")
    return (sectors() - before) * 512 / 1e6
