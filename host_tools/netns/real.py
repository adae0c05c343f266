"""The trial with real processes: each node and its broker in a network namespace of its own.

The HTTP servers of the nodes are on loopback of their namespaces and are asked there, so that looking at them
costs no traffic and no delay.
"""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ..microgrid.audit import Audit
from ..microgrid.launch import Building, LaunchError, Microgrid, Pace
from ..microgrid.plan import BuildingPlan
from ..setup.debs import SetupError
from ..setup.find_broker import BrokerProgram, find_broker
from . import fabric
from .namespace import Namespace
from .trial import METER_S, Served, Start, limits_of

_TICKS_PER_S = 100.0  # of /proc/PID/stat, on all kinds of machines that Linux knows today
_KB = 1024


@dataclass(frozen=True)
class Segment:
    """The place of one node: its namespace on the segment that all share."""

    space: Namespace
    address: str

    def entered(self) -> Any:
        """As of a `Place`."""
        return self.space.entered()


class RealSite:
    """The processes; a context manager that ends all of them, and with them the network."""

    def __init__(
        self,
        plans: list[BuildingPlan],
        start: Start,
        delay_ms: float,
        loss: float,
        directory: Path,
        seed: int,
        trust: bool,
    ) -> None:
        """Raises LaunchError, NetnsError."""
        self._start = start
        self._stack = ExitStack()
        self._audit = Audit()
        self.counters: dict[str, Any] = {}
        self.started_s = 0.0
        with self._stack:
            spaces = {plan.name: Namespace() for plan in plans}
            for space in spaces.values():
                self._stack.callback(space.close)
            self.fabric = fabric.make(spaces, delay_ms, loss)
            self._stack.callback(self._end_fabric)
            places = {
                name: Segment(space, fabric.address(number))
                for number, (name, space) in enumerate(spaces.items())
            }
            try:
                program = _open_to_neighbours(find_broker())
            except SetupError as error:
                raise LaunchError(str(error)) from None
            self._pace = Pace(seed=seed, power_period_s=METER_S)
            self._microgrid = Microgrid(
                plans, directory, self._pace, limits_of(plans), trust=trust, places=places, program=program
            )
            self._stack = self._stack.pop_all()

    def __enter__(self) -> "RealSite":
        began_s = time.monotonic()
        try:
            self._stack.enter_context(self._microgrid)
        except BaseException:
            self._stack.close()
            raise
        self.started_s = time.monotonic() - began_s
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _end_fabric(self) -> None:
        self.counters = self.fabric.close()

    def begin(self) -> None:
        self._start.at_s = self._pace.elapsed_s(time.monotonic())

    def wait(self, seconds: float) -> float:
        began_s = time.monotonic()
        time.sleep(seconds)
        return time.monotonic() - began_s

    def known(self) -> dict[str, int]:
        return {name: len(found["distances"]) for name, found in self._ask("/node").items()}

    def consumers(self, nodes: Collection[str]) -> dict[str, list[Served]]:
        return {
            name: [Served(twin["satisfied"], twin["response_s"]) for twin in twins if twin["kind"] == "load"]
            for name, twins in self._ask("/twins", nodes).items()
        }

    def sent(self) -> dict[str, tuple[int, int]]:
        found = {}
        for name, health in self._ask("/health").items():
            links = health["links"]["neighbours"].values()
            found[name] = (
                sum(each["sent_frames"] for each in links),
                sum(each["sent_bytes"] for each in links),
            )
        return found

    def separate(self, parts: Sequence[Collection[str]]) -> None:
        self.fabric.separate(parts)

    def broken(self) -> list[str]:
        self._audit.look(self._ask("/contracts"), time.monotonic())
        self._audit.finish(list(self._ask("/health").values()))
        failed = [
            each.name
            for each in self._microgrid.buildings
            if each.process and each.process.poll() is not None
        ]
        return [*self._audit.broken, *(f"node {name} has ended" for name in failed)]

    def usage(self) -> dict[str, dict[str, float]]:
        """Memory, CPU time and bytes on the wire of each node until now."""
        return {each.name: _usage(each) for each in self._microgrid.buildings}

    def _ask(self, path: str, nodes: Collection[str] | None = None) -> dict[str, Any]:
        """The answers of the nodes that answer; of the others those of earlier would be wrong."""
        found = {}
        for building in self._microgrid.buildings:
            if nodes is None or building.name in nodes:
                with suppress(OSError, ValueError):
                    found[building.name] = building.ask(path, timeout_s=10.0)
        return found


def _open_to_neighbours(program: BrokerProgram) -> BrokerProgram:
    """The same broker, open to its whole namespace, as that of a board is open to its network."""
    made: Callable[[int, int, Path], str] = program.configuration

    def configuration(port: int, max_packet_bytes: int, log: Path) -> str:
        return made(port, max_packet_bytes, log).replace("127.0.0.1", "0.0.0.0")

    return replace(program, configuration=configuration)


def _usage(building: Building) -> dict[str, float]:
    process, broker = building.process, building.broker.pid
    assert process is not None
    assert broker is not None
    memory = _rollup(process.pid)
    return {
        "rss_mb": memory["Rss"] / _KB,
        "pss_mb": memory["Pss"] / _KB,
        "broker_pss_mb": _rollup(broker)["Pss"] / _KB,
        "cpu_s": _cpu_s(process.pid) + _cpu_s(broker),
        "wire_bytes": _sent_bytes(process.pid),
    }


def _rollup(pid: int) -> dict[str, int]:
    """In kB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {key: int(value.split()[0]) for key, _, value in (line.partition(":") for line in lines)}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _sent_bytes(pid: int) -> int:
    """By the interface of its namespace, headers included."""
    for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == fabric.INTERFACE:
            return int(numbers.split()[8])
    return 0
