"""A node: the one place that knows every room and wires them.

It is handed its clock, links, meters and random generator, and driven by calls: `tick` each second,
`receive`, `read`, `react`. Whoever drives it owns the only thread it runs on.
"""

import math
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from . import __version__
from .clock import Clock, Date, Zone
from .config.settings import NodeConfig
from .counters import KEPT_MIN, RARELY_KEPT_MIN, Counters
from .energy.flows import Flows, node_flows
from .energy.members import Members
from .energy.memory import is_near
from .energy.rules import LABELS, MAX_POWER_W
from .energy.totals import SUM_OF_TOTALS, TOTAL, NodeTotal, Share, node_total, sum_of_totals
from .history.retention import Keep
from .history.store import Store
from .incarnation import next_incarnation
from .journal import Journal
from .meter.meters import Meters
from .meter.reading import Reading
from .net.gateway import Gateway
from .net.links import Links
from .recent import Recent
from .space.engine import Engine
from .space.errors import SpaceError
from .space.laws import Law, standard_laws
from .space.laws.aggregation import Aggregating
from .space.lsa import EVERYWHERE
from .space.tuplespace import SELF, TupleSpace
from .state import StateFile
from .trust.trust import IDENTITY, REVOKED, Trust
from .twins.gossip_settings import GOSSIP_LABELS
from .twins.registry import TwinError, create
from .twins.twin import Home, Twin
from .watch import LOOK_TICKS, note_counters, renew_links

if TYPE_CHECKING:
    from .energy.credits import Credits
    from .energy.tally import Tally
    from .twins.community import CommunityTwin
    from .twins.community_settings import CommunitySettings
    from .twins.learning import LearningTwin
    from .twins.prosumer import ProsumerTwin
    from .twins.recorder import RecorderTwin
    from .twins.regulator import RegulatorTwin

_CHECK_ALL_TICKS = 10


class Outlet(Protocol):
    """What passes on to others what the node knows, such as Home Assistant. The node runs as well without."""

    def start(self) -> None:
        """Begin to connect, without waiting."""

    def second_passed(self, node: "Node") -> None:
        """Called by the main thread each second."""

    def troubles(self) -> Iterable[tuple[str, str, str]]:
        """Code, subject and text of what is wrong."""

    def stop(self) -> None:
        """End it, soon."""


class Seen(NamedTuple):
    """What the twins of a node show at one moment: the share of each by name, their sums, and those whose
    device has no defined reading."""

    shares: dict[str, Share]
    total: NodeTotal
    flows: Flows
    unknown: list[str]


class Node:
    """One building of the microgrid."""

    def __init__(
        self,
        config: NodeConfig,
        clock: Clock,
        rng: random.Random,
        links: Links,
        meters: Meters,
        trust: Trust | None = None,
    ) -> None:
        """Without `trust` it believes everybody. Raises TwinError."""
        self.config = config
        self.links = links
        self.meters = meters
        self.trust = trust or Trust()
        self.zone = Zone(config.node.timezone)
        self.date = Date(clock)
        self._clock = clock
        self._started_s = clock.now_s()
        self._state = StateFile(config.state_dir, clock)
        memory = self._state.load()
        self.history = Store(
            config.state_dir / "history.sqlite",
            clock,
            _keep(config),
            zone=self.zone,
            date=self.date,
            write_min=config.history.write_min,
        )
        incarnation = next_incarnation(memory, rng, self.trust.first_incarnation)
        self.space = TupleSpace(config.name, config.limits.space(), incarnation)
        self.space.horizon = config.reach.beats or EVERYWHERE
        self.space.know_labels((*LABELS, TOTAL, IDENTITY, REVOKED, *GOSSIP_LABELS))
        self.gateway = Gateway(self.space, links, self.trust, config.limits)
        self.engine = Engine(self.space, self.gateway.outbox, _laws())
        self.twins: list[Twin] = []
        self._prosumers: list[ProsumerTwin] = []
        self._workers: list[Twin] = []  # twins that may have work
        self._wakers: list[Twin] = []  # twins that may want to act though nothing has changed
        self._following: dict[str, list[Twin]] = {}  # by meter input
        self.wake_s = math.inf  # when a twin wants to act though nothing has changed
        self.readings = self.readings_undefined = 0
        self.latest: dict[str, Reading] = {}  # by meter input
        self.records: dict[str, Reading] = {}  # the newest with a full record, by meter
        self.invariants_checked = self.invariants_broken = 0
        self.last_violation = ""
        self.learning_off = ""  # why it does not learn though it should
        self.recent = Recent()  # counters of what goes wrong
        self._lapses: dict[str, int] = {}  # how often a twin had lost its LSA, by name
        limits = config.limits
        self.members = Members(
            config.name, size=limits.nodes, member_w=limits.member_w, urgent_share=limits.urgent_share
        )
        self.members.heard_s = lambda node: clock.now_s() - self.space.silence_s(node)
        self.members.recall(memory.get("members"), clock.now_s())
        self._rng, self._changes = rng, 0
        self.changes_refused: list[str] = []  # that contradict the file
        self._populate(memory.get("twins"))
        self.journal = Journal(
            self.history, clock, os.environ.get("EDGE_RELEASE") or __version__, config.context()
        )
        often = config.home_assistant.wanted
        self.counters = Counters(self.history, clock, KEPT_MIN if often else RARELY_KEPT_MIN)
        self.outlets: list[Outlet] = []

    def _populate(self, memory: Any) -> None:
        memories = memory if isinstance(memory, dict) else {}
        self._home = Home(
            node=self.config.name,
            clock=self._clock,
            history=self.history,
            switch=self.meters.switch,
            steer=self.meters.steer,
            record=self.records.get,
            total=lambda: None if self.unknown else self.total().powers_w,
            tell_minute=self._tell_minute,
            zone=self.zone,
            date=self.date,
            trust=self.trust,
            members=self.members,
            folder=self.config.state_dir,
            neighbours=lambda: self.links.neighbours,
            twins=lambda: self.twins,
            community=self.config.community,
            credits=self._credits(),
            request_hops=self.config.reach.requests,
            tally=self._tally(),
        )
        population = list(self.config.population())
        if self.trust.authentic:
            population.append(("identity", None))
        for kind, settings in population:
            self.enroll(kind, settings, memories)

    def _tally(self) -> "Tally | None":
        if not self.config.tally:
            return None
        from .energy.tally import TOTALS, Tally

        self.space.know_labels((TOTALS,))
        return Tally(self.config.name, self.config.limits.nodes)

    def _credits(self) -> "Credits | None":
        community = self.config.community
        if community is None:
            return None
        from .energy.credits import Credits

        return Credits(self.config.name, self.config.limits.nodes, community.newcomer_wh)

    def enroll(self, kind: str, settings: Any, memories: Mapping[str, Any]) -> None:
        """Add a twin, with what it remembers. Raises TwinError."""
        twin = create(kind, settings, self._home, random.Random(self._rng.getrandbits(64)))
        self.twins.append(twin)
        self._sort_twins()
        for name in twin.inputs:
            self._following.setdefault(name, []).append(twin)
        try:
            twin.begin(memories.get(twin.short_name))
        except Exception as error:
            self.engine.fault(twin, error)
        try:
            self.engine.add(twin)
        except SpaceError as error:
            self.retire(twin)
            raise TwinError(f"the tuple space cannot hold twin {twin.name}: {error}") from error
        self.engine.stir(twin)

    def retire(self, twin: Twin) -> None:
        """Remove a twin; its contracts end."""
        self.engine.remove(twin)
        self.twins.remove(twin)
        self._sort_twins()
        for name in twin.inputs:
            self._following[name].remove(twin)
        for other in self.twins:
            if other.kind == "recorder":
                cast("RecorderTwin", other).forget(twin.name)

    def _sort_twins(self) -> None:
        """After a twin came or left: lists that are asked for at each event."""
        self._prosumers = [cast("ProsumerTwin", twin) for twin in self.twins if twin.kind == "prosumer"]
        self._workers = [twin for twin in self.twins if type(twin).has_work is not Twin.has_work]
        self._wakers = [twin for twin in self.twins if type(twin).wake_s is not Twin.wake_s]

    # ---- the beats and what comes in ---------------------------------------------------------

    def tick(self) -> None:
        """One second has passed."""
        self._add_lapsed()
        self.engine.tick()
        self.gateway.tick()
        self._tell(lambda twin: twin.second_passed())
        self._tell_free_power()
        self._check_invariants()
        self.journal.second_passed(self._prosumers)
        self.counters.second_passed(self._prosumers)
        if self.space.tick % LOOK_TICKS == 0:
            note_counters(self.recent, self.gateway, self.links, self.twins, self._clock.now_s())
            renew_links(self.links, self.gateway)
        if self._state.due:
            self._state.look(self._memory(), self._is_near)

    def receive(self, peer: str, frame: bytes) -> None:
        """A frame from a neighbour."""
        self.gateway.receive(peer, frame)

    def link_changed(self, peer: str, up: bool) -> None:
        """A link came up or went down; the digest repairs what was lost on it."""
        (self.gateway.link_up if up else self.gateway.link_down)(peer)

    def read(self, reading: Reading) -> None:
        """A reading of a meter. A power that no device can have is undefined."""
        power_w = reading.power_w
        if power_w is not None and not abs(power_w) <= MAX_POWER_W:  # nan too
            power_w = None
        self.readings += 1
        self.readings_undefined += power_w is None
        self.latest[reading.device] = reading
        if reading.record is not None:
            self.records[reading.device.partition(".")[0]] = reading
        followers = self._following.get(reading.device, [])
        for twin in followers:
            twin.read(reading.device, power_w, reading.at_s)
        self.journal.look(cast("ProsumerTwin", twin) for twin in followers if twin.kind == "prosumer")

    @property
    def busy(self) -> bool:
        """Whether a reaction has something to do."""
        return self.engine.stirred or self.gateway.waiting or self._clock.now_s() >= self.wake_s

    def react(self) -> None:
        """Run the laws on what changed, and send what follows."""
        now_s = self._clock.now_s()
        if now_s >= self.wake_s:
            for twin in self._wakers:
                if twin.wake_s <= now_s:
                    self.engine.stir(twin)
        if self.engine.stirred and self.engine.react():
            self.journal.look([twin for twin in self._prosumers if twin.acted])
            self.wake_s = min([twin.wake_s for twin in self._wakers], default=math.inf)
        self.gateway.flush()

    @property
    def has_work(self) -> bool:
        """Whether there is work that may wait until nothing else is due."""
        return self.engine.has_work or any(twin.has_work for twin in self._working)

    @property
    def only_training(self) -> bool:
        """Whether that work may also wait until the machine is less busy."""
        return not self.engine.has_work and all(twin.only_training for twin in self._working)

    def work(self) -> None:
        """Do a few milliseconds of it."""
        if self.engine.has_work:
            self.engine.work()
            return
        for twin in self._working:
            if twin.has_work:
                twin.work()
                return

    @property
    def _working(self) -> list[Twin]:
        """Those that may have work; none while somebody has stopped all prosumers, and the supervisors with
        them."""
        stopped = self._workers and self._prosumers and all(twin.held for twin in self._prosumers)
        return [] if stopped else self._workers

    def save(self) -> None:
        """Save before the end what was agreed and learnt."""
        if self.community:
            self.community.remember()
        self._state.save(self._memory())
        self.journal.end()
        self.counters.keep()
        self._tell(lambda twin: twin.keep())

    def leave(self) -> None:
        """Withdraw all twins and tell the neighbours, so that others look for other partners at once.

        To be called after `save`: the contracts end. The node does not act again.
        """
        for twin in self.twins:
            self.engine.remove(twin)
        self.engine.react()
        self.gateway.flush()

    def note_change(self, subject: str, kind: str, role: str, details: str, who: str) -> None:
        """Somebody has changed the node: it is an event of its history."""
        self._changes += 1
        wall_s = self.wall_s()
        self.history.note_event(wall_s, subject, -self._changes, kind, role, 0.0, details[:200], partner=who)

    def prosumer(self, name: str) -> "ProsumerTwin | None":
        """The prosumer twin of that name, without its node."""
        return next((twin for twin in self.prosumers if twin.short_name == name), None)

    def adopt_rules(self, rules: "CommunitySettings | None") -> None:
        """The rules of the community are others from now on; whether there is one does not change."""
        if rules and self.community:
            self._home.community = rules
            self.community.adjust(rules)
            for twin in self.prosumers:
                twin.adjust(twin.settings)

    def adjust(self, config: NodeConfig) -> None:
        """Go on with another configuration, whose twins and links it has; see `config.changes.RUNNING`."""
        self.config = config
        self.members.urgent_share = config.limits.urgent_share
        self.history.adjust(_keep(config))

    # ---- what it shows -----------------------------------------------------------------------

    @property
    def prosumers(self) -> "list[ProsumerTwin]":
        """Its prosumer twins, in the order of the configuration."""
        return list(self._prosumers)

    @property
    def regulator(self) -> "RegulatorTwin | None":
        """Its regulator twin, if it has one."""
        found = [cast("RegulatorTwin", twin) for twin in self.twins if twin.kind == "regulator"]
        return found[0] if found else None

    @property
    def community(self) -> "CommunityTwin | None":
        """Its community twin, if it has a section `[community]`."""
        found = [cast("CommunityTwin", twin) for twin in self.twins if twin.kind == "community"]
        return found[0] if found else None

    @property
    def learning(self) -> "LearningTwin | None":
        """Its learning twin, if it learns."""
        found = [cast("LearningTwin", twin) for twin in self.twins if twin.kind == "learning"]
        return found[0] if found else None

    def look(self) -> Seen:
        """What its twins show now, each asked once."""
        shares = {twin.name: twin.share() for twin in self.twins}
        flows = node_flows(supply for twin in self.twins if (supply := twin.supply()))
        return Seen(shares, node_total(shares.values()), flows, self.unknown)

    def total(self) -> NodeTotal:
        """The six variables."""
        return node_total(twin.share() for twin in self.twins)

    def flows(self) -> Flows:
        """What flows now, by source, and what is exchanged with the grid."""
        return node_flows(supply for twin in self.twins if (supply := twin.supply()))

    @property
    def unknown(self) -> list[str]:
        """The twins whose device has no defined reading; nothing may be derived from their power."""
        return [twin.short_name for twin in self.twins if twin.unknown]

    @property
    def state_failures(self) -> int:
        """How often the state file could not be written."""
        return self._state.failures

    def now_s(self) -> float:
        """The current time of its clock, in s."""
        return self._clock.now_s()

    def wall_s(self, at_s: float | None = None) -> float:
        """A time of its clock as Unix time; that of now by default."""
        wall_s = self._clock.wall_s()
        return wall_s if at_s is None else wall_s - self._clock.now_s() + at_s

    @property
    def uptime_s(self) -> float:
        """Seconds since it was made."""
        return self._clock.now_s() - self._started_s

    def distances(self) -> dict[str, int]:
        """Hops to every node that is known."""
        return self.space.distances()

    # ---- inside ------------------------------------------------------------------------------

    def _add_lapsed(self) -> None:
        """A twin that did not renew its LSA in time, since it failed, is added again."""
        for twin in self.twins:
            if not twin.handle:
                self._lapses[twin.name] = self._lapses.get(twin.name, 0) + 1
                self.recent.note(f"lapses of {twin.name}", self._lapses[twin.name], self._clock.now_s())
                try:
                    self.engine.add(twin)
                    twin.begin(None)
                except SpaceError:
                    continue  # full at the moment; tried again each second
                except Exception as error:
                    self.engine.fault(twin, error)
                self.engine.stir(twin)
                name = twin.short_name
                self._tell(lambda other, name=name: other.lapsed(name))  # type: ignore[misc]

    def _tell_free_power(self) -> None:
        """Unserved twins are told what their node has left (thesis 4.4.4)."""
        unserved = [twin for twin in self.twins if twin.unserved]
        if unserved:
            free_w = sum(twin.free_w for twin in self.twins)
            for twin in unserved:
                twin.see_free(free_w)

    def _tell_minute(self, minute: int, ended: int | None, powers_w: Sequence[float] | None) -> None:
        self._tell(lambda twin: twin.minute_passed(minute, ended, powers_w))
        self.journal.minute_passed(minute, self.records, self.config.history.records_min)

    def _tell(self, news: Callable[[Twin], None]) -> None:
        """A twin that fails is counted, and the others are told all the same."""
        for twin in self.twins:
            try:
                news(twin)
            except Exception as error:
                self.engine.fault(twin, error)

    def _check_invariants(self) -> None:
        """Check the twins that acted since the last tick, and now and then all of them."""
        everyone = self.space.tick % _CHECK_ALL_TICKS == 0
        for twin in [twin for twin in self.twins if everyone or twin.acted]:
            twin.acted = False
            self.invariants_checked += twin.invariants
            for violation in twin.violations():
                self.invariants_broken += 1
                self.last_violation = violation

    def _memory(self) -> dict[str, Any]:
        memories = {twin.short_name: memory for twin in self.twins if (memory := twin.memory())}
        memory = {"incarnation": self.space.origins.incarnation[SELF], "twins": memories}
        members = self.members.memory(self._clock.now_s())
        return memory | {"members": members} if members else memory

    def _is_near(self, old: dict[str, Any], new: dict[str, Any]) -> bool:
        """Whether a restart may continue the old memory in place of the new one."""
        twins, others = (old.pop("twins"), new.pop("twins")), old == new
        return (
            others
            and twins[0].keys() == twins[1].keys()
            and all(is_near(twins[0][name], twins[1][name], self.config.name) for name in twins[0])
        )


def _keep(config: NodeConfig) -> Keep:
    history = config.history
    return Keep(history.days, history.predictions_days, history.quarters_days, history.most_mb)


def _laws() -> list[Law]:
    """The laws of the kernel, with the operators of the other rooms."""
    laws = standard_laws()
    for law in laws:
        if isinstance(law, Aggregating):
            law.operators[SUM_OF_TOTALS] = sum_of_totals
    return laws
