"""What the other members of the microgrid did with what they promised and were promised, as seen here.

A member is a node: all its twins share one record, however many it invents. The record holds no measurement,
because a node measures only its own devices; it holds what every contract shows: offers that nobody took,
contracts that were never validated or hardly used, claims beyond what a member may claim, and offers that
were not honoured. Whoever wastes promises is in doubt for a while: it comes last, and its high priority does
not count. The first time costs 20 s, repeated ones up to five minutes; after ten quiet minutes the next one
is a first one again.

Who uses what it is promised may waste some of it: honest consumers take one offer of several
and change their minds. So each contract that is used gives credit, in watts, and a waste within the credit
causes no doubt. How urgent a member may be is another account: `urgency`; how many offers it gets: `quota`.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from .book import Book, Promise, node_of
from .quota import OfferQuota
from .rules import DOUBTED_S, EPSILON_W, MIN_POWER_W, VALIDATION_S, with_margin
from .urgency import Urgency

# No settings: judged for each member alone; all nodes should forget at the same pace.
DOUBT_S = 20.0  # how long the first waste of a promise is remembered; it doubles with each further one
DOUBT_MAX_S = 300.0
FORGET_S = 600.0  # after that time without doubt the next one is a first one again
WARY_S = 60.0  # for so long after anybody came into doubt, members without a used contract are not urgent
_SILENT_S = 7.0  # a member within reach of heartbeats is heard sooner
_PATIENCE = 3.0  # small wastes in a row that cause no doubt, since honest negotiations have some
_LEAK_PER_S = 0.2  # of them forgotten
_CREDIT = 3.0  # times the power of a validated contract may be wasted soon after
_CREDIT_HALVES_S = 60.0


@dataclass(slots=True)
class Member:
    """The record of one member."""

    refused: int = 0  # claims beyond what it may claim
    unused: int = 0  # offers not taken, contracts not validated or hardly used
    unkept: int = 0  # its own offers and confirmations that it did not honour
    proven: bool = False  # it has used a contract of this node for a while
    held_back: int = 0  # requests that got no offer for a while, since it does not use its offers
    refused_s: float = -math.inf  # when the last such claim was refused
    held_back_s: float = -math.inf
    doubted_until_s: float = -math.inf
    doubts: int = 0  # in a row
    gathered_s: float = -math.inf  # when partial offers were last gathered at it for nothing
    small: float = 0.0  # wastes that were too small for a doubt each
    small_s: float = 0.0
    credit_w: float = 0.0  # power that it may waste, since it used as much
    credit_s: float = 0.0
    urgency: Urgency = field(default_factory=Urgency)


@dataclass(frozen=True, slots=True)
class Missed:
    """An offer that ran out at a member that may be out of reach."""

    power_w: float
    gathered: bool
    at_s: float


class Members:
    """The records of a bounded number of members, for all twins of one node."""

    def __init__(
        self, own_node: str, *, size: int = 32, member_w: float = math.inf, urgent_share: float = 1.0
    ) -> None:
        """`member_w`: the most that one member may request, and hold of all suppliers of this node together.
        `urgent_share`: the share of a supplier's capacity up to which one member may interrupt others.
        """
        self.own_node = own_node
        self.member_w = member_w
        self.urgent_share = urgent_share
        self.heard_s: Callable[[str], float] = lambda node: math.inf  # when a member was heard last
        self._size = size
        self._missed: dict[str, Missed] = {}  # what ran out at members that are silent
        self._missed_until_s = -math.inf  # the last moment at which that counts
        self._members: dict[str, Member] = {}
        self._quotas: dict[str, OfferQuota] = {}
        self._books: list[ref[Book]] = []  # of the suppliers of this node; a supplier may be removed
        self._doubt_until_s = -math.inf  # the last moment at which any member is in doubt
        self._wary_until_s = -math.inf

    def __iter__(self) -> Iterator[tuple[str, Member]]:
        return iter(self._members.items())

    # ---- what all suppliers of this node have promised --------------------------------------------

    def count(self, book: Book) -> None:
        """The promises of a supplier count in what a member may hold."""
        self._books = [each for each in self._books if each() is not None]
        self._books.append(ref(book))

    def promises(self) -> Iterator[Promise]:
        """The promises of all suppliers of this node, offers included."""
        for each in self._books:
            yield from each() or ()

    def may_hold(self, twin: str, more_w: float) -> bool:
        """Whether the contracts of the member that hosts a twin may grow by `more_w`, margins included."""
        node = node_of(twin)
        if node == self.own_node or more_w <= EPSILON_W or math.isinf(self.member_w):
            return True
        held = [each.max_w for each in self.promises() if each.committed and node_of(each.consumer) == node]
        return sum(held) + more_w <= with_margin(self.member_w) + EPSILON_W

    # ---- what follows from the records ------------------------------------------------------------

    def any_doubted(self, now_s: float) -> bool:
        """Whether any member is in doubt."""
        return now_s < max(self._doubt_until_s, self._missed_until_s)

    def is_doubted(self, twin: str, now_s: float) -> bool:
        """Whether the member that hosts a twin comes last now; also one that is silent and took no offer."""
        return self.any_doubted(now_s) and (self._still_misses(twin, now_s) or self._has_wasted(twin, now_s))

    def is_silent_since(self, twin: str, since_s: float, now_s: float) -> bool:
        """Whether nothing of a member has arrived since then, nor lately: it may be out of reach."""
        if node_of(twin) == self.own_node:
            return False
        heard_s = self.heard_s(node_of(twin))  # to the second
        return heard_s < since_s + 1.0 and heard_s < now_s - _SILENT_S

    def may_get_offer(self, twin: str, now_s: float) -> bool:
        """Whether the member that hosts a twin may get another offer of this node."""
        if node_of(twin) == self.own_node:
            return True
        self._still_misses(twin, now_s)
        return self._quota(twin, now_s).is_left(self._has_wasted(twin, now_s), now_s)

    def wait_s(self, twins: Iterable[str], now_s: float) -> float:
        """How long a contract with these twins may wait to be confirmed or validated."""
        if self._doubt_until_s + FORGET_S <= now_s:
            return VALIDATION_S
        members = [self._members.get(node_of(twin)) for twin in twins]
        known = any(each and now_s < each.doubted_until_s + FORGET_S for each in members)
        return DOUBTED_S if known else VALIDATION_S

    def may_hurry(self, twin: str, now_s: float) -> bool:
        """Whether the high priority of a twin counts.

        For a minute after a member came into doubt, it counts only for members that have used a contract:
        otherwise each name that is invented could waste one more promise.
        """
        node = node_of(twin)
        if node == self.own_node:
            return True
        if self.is_doubted(twin, now_s):
            return False
        member = self._members.get(node)
        if member is None:
            return now_s >= self._wary_until_s
        return member.urgency.is_left(now_s) and (member.proven or now_s >= self._wary_until_s)

    # ---- what is recorded -------------------------------------------------------------------------

    def prove(self, twin: str) -> None:
        """A twin has used a contract for a while."""
        if node_of(twin) != self.own_node:
            self._record(twin).proven = True

    def use(self, twin: str, power_w: float, now_s: float) -> None:
        """A twin has used a contract for that power."""
        if node_of(twin) != self.own_node:
            member = self._record(twin)
            member.credit_w = _credit_w(member, now_s) + _CREDIT * power_w
            member.credit_s = now_s
            self._quota(twin, now_s).use()

    def offer(self, twin: str, now_s: float) -> None:
        """A twin got an offer."""
        if node_of(twin) != self.own_node:
            self._quota(twin, now_s).offer()

    def hold_back(self, twin: str, now_s: float) -> None:
        """A request of a twin got no offer, as the quota of its member is used up."""
        member = self._record(twin)
        member.held_back, member.held_back_s = member.held_back + 1, now_s

    def interrupt(self, twin: str, power_w: float, capacity_w: float, now_s: float) -> None:
        """A twin has taken so much from others, of a supplier with that capacity."""
        if node_of(twin) != self.own_node:
            self._record(twin).urgency.interrupt(power_w / self._share_w(capacity_w), now_s)

    def draw(self, twin: str, power_w: float, seconds: float, capacity_w: float, now_s: float) -> None:
        """A twin has used that power of a supplier for so long."""
        member = self._members.get(node_of(twin))
        if member is not None:
            member.urgency.use(power_w * seconds / self._share_w(capacity_w), now_s)

    def hoard(self, twin: str, now_s: float) -> None:
        """A twin has reserved power that it does not use. No credit excuses that."""
        if node_of(twin) != self.own_node:
            member = self._record(twin)
            member.unused += 1
            member.urgency.hoard(now_s)
            self._weigh(twin, now_s, small=False)
            self._wary_until_s = now_s + WARY_S

    def refuse(self, twin: str, now_s: float) -> None:
        """A twin has claimed what it may not claim."""
        if node_of(twin) != self.own_node:
            member = self._record(twin)
            member.refused, member.refused_s = member.refused + 1, now_s

    def waste(self, twin: str, power_w: float, now_s: float, *, small: bool = False) -> None:
        """A twin has let a promise of that power go unused; `small`: for a moment only."""
        if node_of(twin) != self.own_node:
            member = self._record(twin)
            member.unused += 1
            credit_w = _credit_w(member, now_s)
            if power_w <= credit_w:
                member.credit_w, member.credit_s = credit_w - power_w, now_s
            elif self._weigh(twin, now_s, small):
                self._wary_until_s = now_s + WARY_S

    def waste_gathered(self, twin: str, power_w: float, now_s: float) -> None:
        """Partial offers gathered at a twin for nothing. Once in ten minutes that is bad luck."""
        if node_of(twin) != self.own_node:
            member = self._record(twin)
            before_s, member.gathered_s = member.gathered_s, now_s
            if now_s - before_s <= FORGET_S:
                self.waste(twin, power_w, now_s)
            else:
                member.unused += 1

    def miss(self, twin: str, power_w: float, now_s: float, *, gathered: bool) -> None:
        """An offer ran out at a member that may be out of reach; all are one waste, once it is heard."""
        node = node_of(twin)
        before = self._missed.pop(node, None)
        if len(self._missed) >= self._size:
            del self._missed[next(iter(self._missed))]
        self._missed[node] = Missed(power_w, gathered and (before is None or before.gathered), now_s)
        self._missed_until_s = now_s + FORGET_S

    def break_word(self, twin: str, now_s: float, *, small: bool = False) -> None:
        """A supplier has not honoured its offer; `small`: it said so at once."""
        if node_of(twin) != self.own_node:
            self._record(twin).unkept += 1
            self._weigh(twin, now_s, small)

    # ---- across a restart -------------------------------------------------------------------------

    def memory(self, now_s: float) -> dict[str, list[int]]:
        """Who has hoarded: a restart must not give back the urgency that it has lost."""
        found = self._members.items()
        return {name: each.urgency.memory(now_s) for name, each in found if each.urgency.hoards}

    def recall(self, memory: Any, now_s: float) -> None:
        """Continue from there; what `memory` did not give is ignored."""
        for name, each in memory.items() if isinstance(memory, dict) else ():
            member = Member()
            if len(self._members) < self._size and member.urgency.recall(each, now_s):
                self._members[name] = member

    # ---- inside -----------------------------------------------------------------------------------

    def _share_w(self, capacity_w: float) -> float:
        return max(MIN_POWER_W, self.urgent_share * capacity_w)

    def _still_misses(self, twin: str, now_s: float) -> bool:
        """Whether a member was not heard since an offer ran out there; what it missed counts when it is."""
        missed = self._missed.get(node_of(twin))
        if missed is None or self.is_silent_since(twin, missed.at_s, now_s):
            return missed is not None
        del self._missed[node_of(twin)]
        (self.waste_gathered if missed.gathered else self.waste)(twin, missed.power_w, now_s)
        return False

    def _has_wasted(self, twin: str, now_s: float) -> bool:
        if now_s >= self._doubt_until_s:
            return False
        member = self._members.get(node_of(twin))
        return member is not None and now_s < member.doubted_until_s

    def _weigh(self, twin: str, now_s: float, small: bool) -> bool:
        """Doubt the member unless the waste is one of few small ones; returns whether it is in doubt."""
        member = self._record(twin)
        if small:
            left = max(0.0, member.small - _LEAK_PER_S * (now_s - member.small_s))
            member.small, member.small_s = left + 1.0, now_s
            if member.small <= _PATIENCE:
                return False
        if now_s < member.doubted_until_s:
            until_s = max(member.doubted_until_s, now_s + DOUBT_S)
        else:
            quiet = now_s - member.doubted_until_s > FORGET_S
            member.doubts = 1 if quiet else member.doubts + 1
            until_s = now_s + min(DOUBT_MAX_S, DOUBT_S * 2.0 ** min(member.doubts - 1, 8))
        member.doubted_until_s = until_s
        self._doubt_until_s = max(self._doubt_until_s, until_s)
        return True

    def _quota(self, twin: str, now_s: float) -> OfferQuota:
        node = node_of(twin)
        quota = self._quotas.get(node)
        if quota is None:
            if len(self._quotas) >= self._size:
                self._quotas.pop(next(iter(self._quotas)))
            quota = self._quotas[node] = OfferQuota(now_s)
        return quota

    def _record(self, twin: str) -> Member:
        node = node_of(twin)
        member = self._members.get(node)
        if member is None:
            if len(self._members) >= self._size:
                self._members.pop(min(self._members, key=lambda name: self._worth(self._members[name])))
            member = self._members[node] = Member()
        return member

    @staticmethod
    def _worth(member: Member) -> tuple[bool, float, int]:
        """Records of members that are in no doubt and have used nothing make room first."""
        kept = member.proven or bool(member.urgency.hoards)
        return kept, member.doubted_until_s, member.refused + member.unused + member.unkept


def _credit_w(member: Member, now_s: float) -> float:
    """What is left of its credit; half of it is gone after a minute."""
    return member.credit_w * 0.5 ** ((now_s - member.credit_s) / _CREDIT_HALVES_S) if member.credit_w else 0.0
