"""What an attack costs the honest nodes: energy, memory, CPU, time of answers, traffic; and what they say."""

import os
import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from host_tools.microgrid.launch import Building, LaunchError

from .cases import LEARNS, Case
from .site import HONEST, LATE, LATE_W, LIAR, Site

_LOOK_S = 0.4
_HEALTH_EVERY = 3  # looks
_AGREE_S = 3.0  # so old the knowledge of a supplier may be, while its node is slow to answer
_TRUST_S = 10.0  # so long what a node said last is believed, though it does not answer
_LATE_AT, _RESTART_AT, _REVOKE_AT = 0.2, 0.3, 0.05  # of the duration
_MB = 1024.0


@dataclass
class Figures:
    """Of one run. Energies are shares; CPU, ticks and answers are those of the victim."""

    unserved: dict[str, float] = field(default_factory=dict)  # by node: of what it needs
    peak_mb: float = 0.0
    cpu: float = 0.0  # of a core
    http_ms: float = 0.0
    answered: float = 1.0  # of the requests for /health
    ticks: float = 1.0  # of the seconds
    sent_kb_s: float = 0.0
    received_kb_s: float = 0.0
    in_after_s: float | None = None  # a member that connects to its neighbour's broker
    refused: dict[str, int] = field(default_factory=dict)  # what the victim refused of the liar, by reason
    said: list[str] = field(default_factory=list)  # codes of troubles, and where
    broken: list[str] = field(default_factory=list)  # what must never be

    def report(self) -> dict[str, Any]:
        """For attack.json."""
        return asdict(self)


class _Watch(Thread):
    """Looks at one honest node as long as the attack lasts."""

    def __init__(self, site: Site, building: Building, promised_s: dict[tuple[str, str], float]) -> None:
        """`promised_s`: when a supplier last said that it supplies a consumer; all watches share it."""
        super().__init__(daemon=True)
        self._site, self._building, self._promised_s = site, building, promised_s
        self._needs_w = {f"d{i}": w for i, (kind, w) in enumerate(HONEST[building.name]) if kind == "load"}
        self.stopping = Event()
        self.paused = False  # its power is cut
        self.needed = self.served = 0.0  # in Ws
        self.latencies_s: list[float] = []
        self.asked = self.answered = 0
        self.codes: set[str] = set()
        self.health: dict[str, Any] = {}
        self.peak_mb = 0.0
        self._drawn_w: dict[str, float] = {}
        self._answered_s = time.monotonic()

    def run(self) -> None:
        before_s, count = time.monotonic(), 0
        while not self.stopping.wait(_LOOK_S):
            if self.paused:
                before_s = self._answered_s = time.monotonic()
                continue
            self.look_at_contracts()
            now_s = time.monotonic()
            if now_s - self._answered_s > _TRUST_S or _is_dead(self._building):
                self._drawn_w = {}
            self._add(now_s - before_s)
            before_s = now_s
            self.peak_mb = max(self.peak_mb, _peak_mb(self._building))
            if count % _HEALTH_EVERY == 0:
                self.look_at_health()
            count += 1

    def look_at_contracts(self) -> None:
        """What it draws is served as far as its suppliers know of it too."""
        contracts = self._ask("/contracts")
        if contracts is None:
            return
        self._answered_s = time.monotonic()
        for each in contracts["supplied"]:
            if each["state"] != "offered":
                self._promised_s[each["consumer"], each["supplier"]] = self._answered_s
        self._drawn_w = {}
        for each in contracts["consumed"]:
            for part in each["parts"] if each["valid"] else ():
                known_s = self._promised_s.get((each["consumer"], part["supplier"]), 0.0)
                if self._answered_s - known_s < _AGREE_S:
                    name = each["consumer"].rpartition(".")[2]
                    self._drawn_w[name] = self._drawn_w.get(name, 0.0) + part["power_w"]

    def _add(self, passed_s: float) -> None:
        late = {LATE: LATE_W} if self._site.late and self._building.name == self._site.late_node else {}
        for name, need_w in {**self._needs_w, **late}.items():
            self.needed += need_w * passed_s
            self.served += min(need_w, self._drawn_w.get(name, 0.0)) * passed_s

    def look_at_health(self) -> None:
        """Ask what it says."""
        began_s = time.monotonic()
        self.asked += 1
        health = self._ask("/health")
        if health and not self.paused:
            self.answered += 1
            self.latencies_s.append(time.monotonic() - began_s)
            self.health = health
            self._answered_s = time.monotonic()
            self.codes |= {each["code"] for each in health["troubles"]}
        elif self.paused:
            self.asked -= 1

    def _ask(self, path: str) -> Any:
        try:
            return self._building.ask(path)
        except (OSError, ValueError):
            return None


def run(site: Site, case: Case | None, seconds: float, restarts: str, away_s: float = 0.0) -> Figures:
    """Attack for a while and look. Without a case: a quiet run."""
    promised_s: dict[tuple[str, str], float] = {}
    watches = {name: _Watch(site, building, promised_s) for name, building in site.honest.items()}
    victim = site.honest[LEARNS]
    first = victim.ask("/health", 10.0)
    cpu_s, tick, began_s = _cpu_s(victim), _tick(victim), time.monotonic()
    pid = victim.process.pid if victim.process else 0
    for each in [*watches.values()] * 2:  # who is supplied knows its suppliers from the beginning
        each.look_at_contracts()
    for each in watches.values():
        each.start()
    site.attack()
    figures = Figures()
    _play(site, case, watches, seconds, (restarts, away_s), figures)
    passed_s = time.monotonic() - began_s
    same = victim.process is not None and victim.process.pid == pid and not _is_dead(victim)
    if same:
        figures.cpu = (_cpu_s(victim) - cpu_s) / passed_s
        last_tick = _tick(victim)
        figures.ticks = (last_tick - tick) / passed_s if last_tick >= 0 else 0.0
    for each in watches.values():
        each.stopping.set()
    for each in watches.values():
        each.join()
        each.look_at_health()
    _sum_up(site, watches, figures)
    if same and watches[LEARNS].health:
        figures.sent_kb_s = (_sent(watches[LEARNS].health) - _sent(first)) / 1000 / passed_s
        figures.received_kb_s = (_received(watches[LEARNS].health) - _received(first)) / 1000 / passed_s
    if case and case.revoked:
        knowing = [name for name, each in watches.items() if LIAR in each.health["trust"]["members"]]
        figures.broken += [f"{name} still believes the revoked liar" for name in knowing]
    return figures


def _play(
    site: Site,
    case: Case | None,
    watches: dict[str, _Watch],
    seconds: float,
    restarts: tuple[str, float],
    figures: Figures,
) -> None:
    began_s = time.monotonic()

    def wait_until(share: float) -> None:
        time.sleep(max(0.0, began_s + share * seconds - time.monotonic()))

    if case and case.revoked:
        wait_until(_REVOKE_AT)
        site.revoke()
    wait_until(_LATE_AT)
    site.late = True
    name, away_s = restarts
    if name:
        wait_until(_RESTART_AT)
        watches[name].paused = True
        try:
            site.restart(name, away_s)
        except LaunchError as error:
            figures.broken.append(str(error))
        watches[name].paused = False
    wait_until(1.0)


def _sum_up(site: Site, watches: dict[str, _Watch], figures: Figures) -> None:
    for name, each in watches.items():
        figures.unserved[name] = 1.0 - each.served / each.needed if each.needed else 0.0
        figures.said += [f"{code} ({name})" for code in sorted(each.codes)]
        if _is_dead(site.honest[name]):
            figures.broken.append(f"{name} died:\n{site.honest[name].log_tail(4)}")
        if each.health.get("invariants_broken"):
            figures.broken.append(f"{name}: {each.health['invariants_broken']} invariants broken")
        if each.health.get("failures") or each.health.get("faults"):
            figures.broken.append(
                f"{name}: errors in the main loop or in twins:\n{site.honest[name].log_tail(6)}"
            )
    victim = watches[LEARNS]
    figures.refused = victim.health.get("gateway", {}).get("refusals", {}).get(LIAR, {})
    figures.peak_mb = max(victim.peak_mb, site.group_peak_mb or 0.0)
    figures.http_ms = 1000 * statistics.median(victim.latencies_s) if victim.latencies_s else float("inf")
    figures.answered = victim.answered / victim.asked if victim.asked else 0.0


def _sent(health: dict[str, Any]) -> int:
    return sum(each["sent_bytes"] for each in health["links"]["neighbours"].values())


def _received(health: dict[str, Any]) -> int:
    return int(health["links"]["inbox"]["received_bytes"])


def _is_dead(building: Building) -> bool:
    return building.process is None or building.process.poll() is not None


def _tick(building: Building) -> int:
    for _ in range(5):
        try:
            return int(building.ask("/node")["space"]["tick"])
        except (OSError, ValueError):
            time.sleep(0.2)
    return -1


def _cpu_s(building: Building) -> float:
    assert building.process is not None
    text = Path(f"/proc/{building.process.pid}/stat").read_text()
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _peak_mb(building: Building) -> float:
    try:
        text = Path(f"/proc/{building.process.pid if building.process else 0}/status").read_text()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) / _MB if found else 0.0
