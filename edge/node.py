"""A node: the one place that knows every room and wires them (DESIGN 2, 10).

It is handed its clock, links, meters and random generator, and driven by calls: `tick` each second,
`receive`, `read`, `react`. Whoever drives it owns the only thread it runs on.
"""

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .clock import Clock, civil_minutes
from .config.check import NodeConfig
from .energy.totals import SUM_OF_TOTALS, NodeTotal, node_total, sum_of_totals
from .learn import lean_numpy
from .meter.meters import Meters
from .meter.reading import Reading
from .net.gateway import Gateway
from .net.links import Links
from .space.engine import Engine
from .space.laws import Law, standard_laws
from .space.laws.aggregation import Aggregating
from .space.tuplespace import SELF, TupleSpace
from .state import StateFile
from .twins.device import Device, DeviceSettings
from .twins.learning_settings import CannotLearn, LearningSettings
from .twins.prosumer import ProsumerSettings, ProsumerTwin
from .twins.shiftable import ShiftableTwin

if TYPE_CHECKING:
    from .history.store import Store
    from .twins.learning import LearningTwin

_CHECK_ALL_TICKS = 10
_FIRST_INCARNATION = 2**20  # at most, of a node without memory
_INCARNATION_STEP = 2**8  # at most; a restart a minute takes thirty years to the last one
_LAST_INCARNATION = 2**31


class Node:
    """One building of the microgrid."""

    def __init__(
        self, config: NodeConfig, clock: Clock, rng: random.Random, links: Links, meters: Meters
    ) -> None:
        """Raises CannotLearn."""
        self.config = config
        self.links = links
        self.meters = meters
        self._clock = clock
        self._started_s = clock.now_s()
        self._state = StateFile(config.state_dir, clock)
        memory = self._state.load()
        self.space = TupleSpace(config.name, config.limits.space(), _next_incarnation(memory, rng))
        self.gateway = Gateway(self.space, links)
        self.engine = Engine(self.space, self.gateway.outbox, _laws())
        self.twins: list[ProsumerTwin] = []
        self._devices: list[tuple[Device, ProsumerTwin]] = []
        self._behind: dict[str, list[tuple[Device, ProsumerTwin]]] = {}  # by meter input
        self.wake_s = math.inf  # when a twin wants to act though nothing has changed
        self.readings = self.readings_undefined = 0
        self.invariants_checked = self.invariants_broken = 0
        self.last_violation = ""
        self.history: Store | None = None
        self.learning: LearningTwin | None = None
        self._populate(rng, memory)
        if config.learning:
            self._learn(config.learning, random.Random(rng.getrandbits(64)))

    def _populate(self, rng: random.Random, memory: dict[str, Any]) -> None:
        remembered = memory.get("twins")
        for settings, device_settings in self.config.twins:
            relay = device_settings.relay
            switch = (lambda on, relay=relay: self.meters.switch(relay, on)) if relay else None
            twin_rng = random.Random(rng.getrandbits(64))
            twin = _twin(self.config.name, settings, device_settings, self._clock, twin_rng, switch)
            device = Device(device_settings)
            self.twins.append(twin)
            self._devices.append((device, twin))
            for name in device.inputs:
                self._behind.setdefault(name, []).append((device, twin))
            recalled = isinstance(remembered, dict) and _recall(twin, remembered.get(settings.name))
            if not (recalled and device.inputs):
                twin.measured(*device.powers_w(self._clock.now_s()))
            self.engine.add(twin)
            self.engine.stir(twin)

    def _learn(self, settings: LearningSettings, rng: random.Random) -> None:
        """The learning twin and its history: what they import costs megabytes, so only where it is wanted.

        Raises CannotLearn.
        """
        from .history.store import Store

        try:
            lean_numpy.prepare()
            from .twins.learning import LearningTwin
        except ImportError as error:
            raise CannotLearn(f"the extra `learn` is not installed: {error}") from error
        path = self.config.state_dir / "history.sqlite"
        self.history = Store(path, self._clock, settings.history_days, settings.predictions_days)
        try:
            self.learning = LearningTwin(
                self.config.name,
                settings,
                self._clock,
                civil_minutes(settings.timezone),
                lambda: self.total().powers_w,
                self.history,
                rng,
            )
        except (ValueError, RuntimeError) as error:  # an option of the model, or its runtime
            raise CannotLearn(str(error)) from error
        self.engine.add(self.learning)
        self.engine.stir(self.learning)

    # ---- the beats and what comes in ---------------------------------------------------------

    def tick(self) -> None:
        """One second has passed."""
        self.engine.tick()
        self.gateway.tick()
        now_s = self._clock.now_s()
        settled = now_s - self._started_s
        for device, twin in self._devices:
            if not device.known(now_s) and settled > device.settings.grace_s:
                self._measure(device, twin)
        self._tell_free_power()
        self._check_invariants()
        if self._state.due:
            self._state.save(self._memory())

    def receive(self, peer: str, frame: bytes) -> None:
        """A frame from a neighbour."""
        self.gateway.receive(peer, frame)

    def link_changed(self, peer: str, up: bool) -> None:
        """A link came up or went down; what was lost on it is healed by the digest."""
        if up:
            self.gateway.link_up(peer)

    def read(self, reading: Reading) -> None:
        """A meter has spoken."""
        self.readings += 1
        self.readings_undefined += reading.power_w is None
        for device, twin in self._behind.get(reading.device, ()):
            device.read(reading.device, reading.power_w, reading.at_s)
            if device.known(reading.at_s):
                self._measure(device, twin)

    @property
    def busy(self) -> bool:
        """Whether a reaction has something to do."""
        return self.engine.stirred or self.gateway.waiting or self._clock.now_s() >= self.wake_s

    def react(self) -> None:
        """Let the laws run on what changed, and let out what follows."""
        now_s = self._clock.now_s()
        if now_s >= self.wake_s:
            for twin in self.twins:
                if twin.wake_s <= now_s:
                    self.engine.stir(twin)
        if self.engine.stirred:
            self.engine.react()
            waking = (twin.wake_s for twin in self.twins)
            self.wake_s = min(waking, default=math.inf)
        self.gateway.flush()

    @property
    def has_work(self) -> bool:
        """Whether there is something that may wait until nothing else does."""
        return self.learning is not None and self.learning.has_work

    @property
    def only_training(self) -> bool:
        """Whether that may also wait until the machine is less busy."""
        return self.learning is None or self.learning.only_training

    def work(self) -> None:
        """A few milliseconds of it."""
        if self.learning:
            self.learning.work()

    def close(self) -> None:
        """Before the end: nothing that is agreed or learnt may be forgotten."""
        self._state.save(self._memory())
        if self.learning:
            self.learning.keep()

    # ---- what it shows -----------------------------------------------------------------------

    def total(self) -> NodeTotal:
        """The six variables."""
        return node_total(twin.share() for twin in self.twins)

    @property
    def state_failures(self) -> int:
        """How often the state file could not be written."""
        return self._state.failures

    def now_s(self) -> float:
        """The clock it goes by."""
        return self._clock.now_s()

    @property
    def uptime_s(self) -> float:
        """Seconds since it was made."""
        return self._clock.now_s() - self._started_s

    def distances(self) -> dict[str, int]:
        """Hops to every node that is heard of."""
        origins, nodes = self.space.origins, self.space.nodes
        known = {
            nodes.text(n): origins.hops[n] for n in range(SELF + 1, nodes.capacity) if origins.expires[n]
        }
        return {self.config.name: 0, **known}

    # ---- inside ------------------------------------------------------------------------------

    def _measure(self, device: Device, twin: ProsumerTwin) -> None:
        powers_w = device.powers_w(self._clock.now_s())
        if powers_w != twin.measured_w:
            twin.measured(*powers_w)
            self.engine.stir(twin)

    def _tell_free_power(self) -> None:
        """Whoever is unserved should know what its node has left (thesis 4.4.4)."""
        unserved = [twin for twin in self.twins if twin.consumer.unserved_since_s is not None]
        if unserved:
            suppliers = [twin.supplier for twin in self.twins if twin.settings.supplies]
            free_w = sum(each.capacity_w - each.committed_w for each in suppliers)
            for twin in unserved:
                twin.see_free(free_w)

    def _check_invariants(self) -> None:
        """Of the twins that did something since the last tick, and of all now and then."""
        everyone = self.space.tick % _CHECK_ALL_TICKS == 0
        for twin in [twin for twin in self.twins if everyone or twin.acted]:
            twin.acted = False
            self.invariants_checked += 4
            for violation in twin.violations():
                self.invariants_broken += 1
                self.last_violation = violation

    def _memory(self) -> dict[str, Any]:
        twins = {twin.settings.name: twin.memory() for twin in self.twins}
        return {"incarnation": self.space.origins.incarnation[SELF], "twins": twins}


def _twin(
    node: str,
    settings: ProsumerSettings,
    device: DeviceSettings,
    clock: Clock,
    rng: random.Random,
    switch: Callable[[bool], None] | None,
) -> ProsumerTwin:
    if device.run:
        return ShiftableTwin(node, settings, device.run, clock, rng, switch)
    return ProsumerTwin(node, settings, clock, rng, switch)


def _laws() -> list[Law]:
    """Those of the kernel, with the operators of the other rooms."""
    laws = standard_laws()
    for law in laws:
        if isinstance(law, Aggregating):
            law.operators[SUM_OF_TOTALS] = sum_of_totals
    return laws


def _next_incarnation(memory: dict[str, Any], rng: random.Random) -> int:
    """Later than the last one on disk, and never twice the same.

    A node that forgot its lives, or died before it wrote the last one down, must not pass for it: who
    holds LSAs of that life would take equal versions for equal LSAs.
    """
    last = memory.get("incarnation")
    if type(last) is int and 0 < last < _LAST_INCARNATION:
        return last + rng.randint(1, _INCARNATION_STEP)
    return rng.randint(1, _FIRST_INCARNATION)


def _recall(twin: ProsumerTwin, memory: Any) -> bool:
    try:
        twin.recall(memory)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(twin.consumer.contracts or len(twin.supplier.book))
