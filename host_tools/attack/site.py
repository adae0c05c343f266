"""Four honest nodes in a chain, and a fifth that is the liar: a neighbour of the third."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from struct import pack

from edge.clock import SystemClock
from edge.history.store import Store
from edge.terms import VARIABLES
from host_tools.broker import die_with_parent
from host_tools.cgroup import DataLimit, LimitError, MemoryLimit, memory_limit, reserved_by_numpy
from host_tools.fleet.trust_authority import REVOKED, TrustAuthority
from host_tools.microgrid.launch import START_TIMEOUT_S, Building, LaunchError, Microgrid, Pace
from host_tools.microgrid.lessons import ANY_LOAD, FEW_STEPS, lessons, write_past
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, connect_chain, grid_connection

from .cases import LEARNS, ByTwins, Case

LIMIT_MB = 64  # of the service of a node
LIAR, LATE = "liar", "late"
HONEST = {  # node: kind and power in W of its devices
    "n1": [("pv", 1500.0), ("load", 700.0), ("load", 200.0)],
    "n2": [("load", 500.0), ("load", 700.0)],
    "n3": [("pv", 400.0), ("load", 400.0)],
    "n4": [("load", 300.0)],
}
GRID_NODE, GRID_W = "n2", 3000.0
LATE_W = 250.0  # a load that is switched on during the attack
_SERVED_S = 90.0
_PAST_DAYS, _MAX_POWER_W = 10, 6000.0


class Site:
    """The processes. A context manager; inside it the attacker waits for its sign."""

    def __init__(self, case: Case | None, learning: bool, late: str, folder: Path, trust: bool) -> None:
        """Without a case the liar is honest. `late`: the node of the late load.

        Raises LaunchError, BrokerError, LimitError.
        """
        self.folder = folder
        self.late = False  # whether the late load is on
        self.late_node = late
        self._case = case
        self._learning = learning
        self._trust = trust
        twins = case.lie.twins if case and isinstance(case.lie, ByTwins) else 1
        self._limit = _limit() if learning else None
        self.microgrid = Microgrid(self._plans(twins), folder, Pace(power_period_s=0.5), trust=trust)
        self.honest = {each.name: each for each in self.microgrid.buildings if each.name in HONEST}
        (self.liar,) = (each for each in self.microgrid.buildings if each.name == LIAR)
        self.attacker: subprocess.Popen[str] | None = None

    def _plans(self, twins: int) -> list[BuildingPlan]:
        plans = []
        for name, devices in HONEST.items():
            plan = BuildingPlan(name, [_device(f"d{i}", *each) for i, each in enumerate(devices)])
            if name == GRID_NODE:
                plan.extra.append(grid_connection(GRID_W))
            if name == self.late_node:
                plan.devices.append(DevicePlan(LATE, "load", lambda _: LATE_W if self.late else 0.0))
            plans.append(plan)
        connect_chain(plans)
        idle = {"kind": "battery", "power_w": 0.001}
        liar = BuildingPlan(LIAR, [], [{"name": f"t{i}", **idle} for i in range(twins)], [LEARNS])
        victim = next(each for each in plans if each.name == LEARNS)
        victim.neighbours.append(LIAR)
        if self._learning:
            past = self.folder.absolute() / "past.csv"
            write_past(past, _PAST_DAYS, datetime.now(), _MAX_POWER_W, 1)
            victim.learning = lessons(
                "mixture",
                _MAX_POWER_W,
                node_history=str(past),
                cluster_history=str(past),
                node_options=FEW_STEPS,
                cluster_options=FEW_STEPS,
                pause_load=ANY_LOAD,
            )
        return [*plans, liar]

    def __enter__(self) -> "Site":
        try:
            self.microgrid.prepare()
            if self._learning:
                _write_a_day(self.honest[LEARNS].directory / "state")
            for name in self.honest:
                self.start(name)
            if self._case is None:
                self.liar.start_node()
            deadline_s = time.monotonic() + START_TIMEOUT_S
            for building in self.honest.values():
                building.wait_until_up(deadline_s)
            if self._case is not None:
                self._start_attacker(self._case)
            self._wait_until_served()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str) -> None:
        """Start an honest node."""
        limited = self._limit is not None and name == LEARNS
        self.honest[name].start_node(self._limit.wrapper if limited and self._limit else None)

    def restart(self, name: str, away_s: float) -> None:
        """Cut the power of an honest node and start it again later. Raises LaunchError."""
        process = self.honest[name].process
        assert process is not None
        process.kill()
        process.wait()
        time.sleep(away_s)
        self.start(name)
        self.honest[name].wait_until_up(time.monotonic() + START_TIMEOUT_S)

    def revoke(self) -> None:
        """The operator revokes the liar, and gives the list to the node that is farthest from it."""
        authority = TrustAuthority(self.folder / ".keys", "local", datetime.now(UTC))
        authority.revoke(LIAR)
        (self.honest["n1"].directory / "keys" / REVOKED).write_bytes(authority.revoked)

    def attack(self) -> None:
        """Give the sign."""
        if self.attacker and self.attacker.stdin:
            self.attacker.stdin.write("go\n")
            self.attacker.stdin.flush()

    @property
    def group_peak_mb(self) -> float | None:
        """The memory charged to the limited node; None without a group that counts."""
        usage = self._limit.usage() if self._limit else None
        return usage.peak_bytes / (1 << 20) if usage else None

    def stop(self) -> dict[str, int | None]:
        """Stop everything; returns the exit codes of the honest nodes."""
        if self.attacker:
            self.attacker.kill()
            self.attacker.wait()
        codes = self.microgrid.stop()
        if self._limit:
            self._limit.close()
            self._limit = None
        return {name: codes[name] for name in self.honest}

    def _start_attacker(self, case: Case, seconds: float = 3600.0) -> None:
        victim = self.honest[LEARNS]
        words = [case.name, self.liar.config, seconds, victim.api_port, self.liar.broker.pid]
        with (self.liar.directory / "attacker.log").open("w") as log:
            self.attacker = subprocess.Popen(
                [sys.executable, "-m", "host_tools.attack.attacker", *map(str, words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
            )
        assert self.attacker.stdout is not None
        if self.attacker.stdout.readline().strip() != "ready":
            text = (self.liar.directory / "attacker.log").read_text()
            raise LaunchError(f"the attacker of {case.name} does not start:\n{text[-2000:]}")

    def _wait_until_served(self) -> None:
        deadline_s = time.monotonic() + _SERVED_S
        left = list(self.honest.values())
        while left:
            left = [each for each in left if not _is_served(each)]
            if time.monotonic() > deadline_s:
                names = ", ".join(each.name for each in left)
                raise LaunchError(f"not served before the attack began: {names}; logs in {self.folder}")
            time.sleep(0.3)


def _device(name: str, kind: str, power_w: float) -> DevicePlan:
    return DevicePlan(name, kind, lambda _: power_w)


def _is_served(building: Building) -> bool:
    try:
        total = building.ask("/node")["total"]
    except (OSError, ValueError):
        return False
    return bool(total["requested_w"]) and total["missing_w"] == 0


def _limit() -> MemoryLimit:
    try:
        return memory_limit(LIMIT_MB << 20)
    except LimitError:
        print("no control group can be used here: RLIMIT_DATA limits the node that learns", flush=True)
        return DataLimit(LIMIT_MB << 20, reserved_by_numpy())


def _write_a_day(state: Path) -> None:
    """A day of predictions, and the minutes that they are compared with."""
    state.mkdir(parents=True, exist_ok=True)
    store = Store(state / "history.sqlite", SystemClock())
    now = int(time.time() // 60)
    rng = Random(1)
    limits_w = [[_MAX_POWER_W * k / 6 for k in range(1, 7)]] * len(VARIABLES)
    for minute, part in zip(range(now - 1440, now), _probabilities(rng), strict=False):
        for scope in ("node", "cluster"):
            store.note_minute(scope, minute, [rng.uniform(0, _MAX_POWER_W) for _ in VARIABLES])
            store.note_prediction(scope, minute, "mixture", limits_w, part)
        if minute % 60 == 0:
            store.write()
    store.write()
    store.close()


def _probabilities(rng: Random) -> Iterator[bytes]:
    """(6, 4, 7) halves whose rows are distributions."""
    while True:
        rows = []
        for _ in range(6 * 4):
            row = [rng.random() for _ in range(7)]
            rows += [each / sum(row) for each in row]
        yield pack(f"<{len(rows)}e", *rows)
