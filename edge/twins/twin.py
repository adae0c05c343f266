"""What a node asks of every twin, whatever its kind, and what it lends to them (thesis 3.2).

A twin is an agent of the tuple space. Each method here does nothing by itself; a kind of twin overrides those
that concern it, and the node needs to know no more about it.
"""

import math
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..clock import Clock, Date, Zone
from ..energy.flows import Supply
from ..energy.members import Members
from ..energy.totals import Powers, Share
from ..space.agent import Agent
from ..trust.trust import Trust
from .envelope import Reader
from .minute import RunningMinute

if TYPE_CHECKING:
    from ..energy.credits import Credits
    from ..energy.day_contracts import Sold
    from ..energy.tally import Tally
    from .community_settings import CommunitySettings
    from .price_source import PriceSource


class Keeper(Protocol):
    """The part of the node's history that twins write to and read from."""

    def note_minute(self, scope: str, minute: int, powers_w: Sequence[float]) -> None: ...
    def note_event(
        self, at_s: float, twin: str, number: int, kind: str, role: str, power_w: float, *details: Any
    ) -> None: ...
    def note_prediction(
        self, scope: str, minute: int, model: str, limits_w: Sequence[Sequence[float]], probabilities: bytes
    ) -> None: ...
    def note_forecast(self, scope: str, minute: int, powers: bytes) -> None: ...
    def note_order(self, order: Sequence[Any]) -> None: ...
    def note_account(self, minute: int, twin: str, credit_wh: float, paid: float, earned: float) -> None: ...
    def note_price(self, minute: int, supplier: str, rate: float) -> None: ...
    def note_level(self, minute: int, twin: str, level_wh: float) -> None: ...
    def note_market_day(
        self, minute: int, member: str, bought_wh: int, sold_wh: int, more_wh: int, less_wh: int, *rest: Any
    ) -> None: ...
    def keep(self, name: str, data: bytes) -> None: ...
    def kept(self, name: str) -> bytes | None: ...
    def minutes(self, scope: str, first: int, last: int) -> Iterator[list[tuple[Any, ...]]]: ...
    def energies(
        self, first: int, last: int, step: int = ..., twin: str = ..., partner: str | None = ...
    ) -> Iterable[Any]: ...
    def first_minute(self, scope: str) -> int | None: ...
    def last_minute(self, scope: str, before: int) -> int | None: ...


class Record(Protocol):
    """All that a meter measured at a time."""

    @property
    def at_s(self) -> float: ...
    @property
    def record(self) -> Mapping[str, float] | None: ...


class Home:
    """What a node lends to its twins."""

    def __init__(
        self,
        *,
        node: str,
        clock: Clock,
        history: Keeper,
        switch: Callable[[str, bool], None],
        steer: Callable[[str, float | None], None] = lambda meter, power_w: None,
        record: Callable[[str], "Record | None"] = lambda meter: None,
        total: Callable[[], Powers | None],
        tell_minute: Callable[[int, int | None, Sequence[float] | None], None],
        zone: Zone,
        date: Date,
        trust: Trust,
        members: Members,
        folder: Path | None = None,
        neighbours: Callable[[], Collection[str]] = tuple,
        twins: "Callable[[], Sequence[Twin]]" = tuple,
        community: "CommunitySettings | None" = None,
        credits: "Credits | None" = None,
        request_hops: int = 0,
        tally: "Tally | None" = None,
    ) -> None:
        """`total` gives the six variables of the node, None while one of its devices is unknown;
        `tell_minute` calls `minute_passed`.
        """
        self.node = node
        self.clock = clock
        self.history = history
        self.switch = switch  # a relay, on or off
        self.steer = steer  # a battery, by its meter: W that charge it, negative: that it gives
        self.record = record  # the newest full record of a meter
        self.tell_minute = tell_minute
        self.zone = zone
        self.date = date  # whether it can be believed
        self.trust = trust
        self.reader = Reader(node, trust)  # of what is addressed to its twins
        self.folder = folder  # of the state of the node
        self.members = members  # what the other members did with what was promised
        self._neighbours = neighbours
        self.twins = twins  # all of the node
        self.request_hops = request_hops  # of a request at first; 0: all that twins show goes everywhere
        self.tally = tally  # of the totals of all nodes; None: they go everywhere by themselves
        self.community, self.credits = community, credits  # None without a section `[community]`
        self.running = RunningMinute()  # of the node
        self.looked_s = -math.inf
        self.total = total  # the six variables of the node
        self.sold: Sold | None = None  # on the market of the next day
        self.price_sources: dict[str, PriceSource] = {}  # by file or address; all twins share them

    @property
    def neighbours(self) -> Collection[str]:
        """The names of the nodes that it has links to; links come and go."""
        return self._neighbours()

    def prices(self, place: str) -> "PriceSource":
        """The day-ahead prices of a file or an address."""
        from .price_source import PriceSource

        if place not in self.price_sources:
            found = PriceSource(place, self.folder, self.clock.wall_s, self.zone.tzinfo)
            found.start()
            self.price_sources[place] = found
        return self.price_sources[place]

    def civil_s(self) -> float:
        """The civil time now, in seconds since 1970."""
        return self.zone.civil_s(self.clock.wall_s())

    def look(self) -> Powers | None:
        """The six variables of the node now, in W; they count from now on for the mean of the minute.

        None if they are unknown; such time does not count.
        """
        self.looked_s = self.clock.now_s()
        powers_w = self.total()
        self.running.hold(powers_w, self.looked_s)
        return powers_w


class Twin(Agent):
    """One digital twin of a node."""

    restless = False
    inputs: tuple[str, ...] = ()  # meter inputs it follows, such as "m1.total"
    acted = False  # since the node last checked its invariants
    invariants = 0  # how many `violations` checks

    def __init__(self, name: str, home: Home) -> None:
        super().__init__(f"{home.node}.{name}")
        self.short_name = name
        self.home = home
        self._clock = home.clock

    # ---- what happens to it ---------------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        """Before it joins the space: `memory` is what it remembered before a restart, None if nothing."""

    def read(self, name: str, power_w: float | None, at_s: float) -> None:
        """One of its meter inputs was read; None is an undefined reading."""

    def second_passed(self) -> None:
        """One second has passed."""

    def minute_passed(self, minute: int, ended: int | None, powers_w: Sequence[float] | None) -> None:
        """`minute` (UTC) begins. `ended` is the whole minute before it, `powers_w` its means, if known."""

    def lapsed(self, name: str) -> None:
        """A twin of the node had lost its LSA, and was started again (thesis 5.2.1.4)."""

    def keep(self) -> None:
        """The node is about to stop: write to the history what must not be lost."""

    # ---- what it shows --------------------------------------------------------------------------

    def share(self) -> Share:
        """What it adds to the six variables of its node."""
        return Share()

    def supply(self) -> Supply | None:
        """What it supplies, for the flows of its node; None if it supplies nothing."""
        return None

    @property
    def unknown(self) -> bool:
        """Whether the power of its device is unknown, so that no sum with it means anything."""
        return False

    @property
    def wake_s(self) -> float:
        """When it wants to act though nothing has changed; inf if it does not."""
        return math.inf

    @property
    def free_w(self) -> float:
        """Power it could supply and has not committed, in W."""
        return 0.0

    @property
    def unserved(self) -> bool:
        """Whether it waits for power."""
        return False

    def see_free(self, free_w: float) -> None:
        """The free power of its node, in W; told only while it is unserved (thesis 4.4.4)."""

    def memory(self) -> dict[str, Any]:
        """What must survive a restart; empty if nothing."""
        return {}

    def violations(self) -> list[str]:
        """Which invariants do not hold right now; empty as it should be."""
        return []

    def troubles(self) -> Iterable[tuple[str, str]]:
        """What is not well with it: code and text, for `/health`."""
        return ()

    def warnings(self) -> Iterable[tuple[str, str]]:
        """What its owner should know though all works as configured: code and text, for `/health`."""
        return ()

    # ---- work that can wait ---------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether something long is due or under way."""
        return False

    @property
    def only_training(self) -> bool:
        """Whether that may also wait until the machine is less busy."""
        return True

    def work(self) -> None:
        """Do a few milliseconds of it."""


Factory = Callable[[Any, Home, random.Random], Twin]
