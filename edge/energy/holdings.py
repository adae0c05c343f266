"""The contracts that one consumer holds: a main one, and for a while a complementary one (thesis 4.2).

When the need rises beyond the margin, a complementary contract covers the rest and is soon merged into the
main one.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from .events import Cause, EventKind
from .holding import Holding
from .members import Members
from .messages import Contract, round_w
from .rules import CLAIM_S, LATE_S, MARGIN, MAX_PARTS, RECONFIRM_S, RESTATED_MAX

Tell = Callable[[EventKind, Contract, Cause, bool], None]  # the last: whether it is the complementary one


class Holdings:
    """At most two contracts. `tell` is called when one starts, changes or ends."""

    def __init__(self, tell: Tell, merge_s: float, members: Members) -> None:
        """`merge_s`: age at which the complementary one is merged; `members`: the records of the node."""
        self.main: Holding | None = None
        self.extra: Holding | None = None
        self._tell_contract, self._merge_s, self._members = tell, merge_s, members

    def __iter__(self) -> Iterator[Holding]:
        """Those that exist, the main one first; they may be ended meanwhile."""
        return iter([each for each in (self.main, self.extra) if each])

    @property
    def active(self) -> list[Holding]:
        """Those under which power flows."""
        return [holding for holding in self if holding.active] if self.main else []

    @property
    def supplied_w(self) -> float:
        """The power of active contracts, in W."""
        return sum([holding.contract.power_w for holding in self.active])

    @property
    def due_s(self) -> float:
        """When one of them ends, is abandoned, or joins the other; inf if never."""
        moments = [holding.due_s for holding in self]
        if self.extra:
            moments.append(self.extra.valid_since_s + self._merge_s)
        return min((each for each in moments if not math.isnan(each)), default=math.inf)

    def of(self, contract: Contract) -> Holding | None:
        """The one that holds this contract."""
        return next((each for each in self if each.contract is contract), None)

    def add(self, holding: Holding) -> None:
        """A proposed contract: the main one if there is none."""
        if self.main is None:
            self.main = holding
        else:
            self.extra = holding

    def restore(self, main: Contract, extra: Contract | None, now_s: float) -> None:
        """Restore contracts from before a restart. All their suppliers must confirm them again soon.

        They may have been restated after they were saved, so the revision jumps ahead: a revision must never
        stand for two different contents.
        """
        main = replace(main, revision=main.revision + RESTATED_MAX)
        extra = replace(extra, revision=extra.revision + RESTATED_MAX) if extra else None
        self.main = Holding(main, now_s + RECONFIRM_S, now_s + main.ttl_s)
        self.extra = Holding(extra, now_s + RECONFIRM_S, now_s + extra.ttl_s) if extra else None
        for holding in self:  # when their suppliers would end them is not known any more
            holding.valid_since_s = now_s
            holding.ask_again(holding.contract.ttl_s, now_s)

    def follow(
        self, need_w: float, planned: bool, contract_s: float, waits_since_s: float, now_s: float
    ) -> None:
        """What time, answers and need make of each of them: it begins, is renewed, or ends.

        `planned`: power is needed later; `waits_since_s`: since when the need is unserved, otherwise inf.
        """
        for holding in self:
            later = holding.contract.in_s > 0
            if now_s >= holding.ends_s:
                self.expire(holding)
            elif not (need_w or (later and planned)):
                self.end(holding, EventKind.STOP, Cause.DEVICE)
            elif now_s >= holding.confirm_by_s and not holding.confirmed:
                for supplier in [] if holding.contract.valid else holding.silent:
                    self._members.break_word(supplier, now_s)
                self.end(holding, EventKind.STOP, Cause.UNCONFIRMED)
            elif holding.confirmed and not holding.contract.valid:
                holding.validate(now_s)
                self.tell(EventKind.START, holding, Cause.CONFIRMED)
            elif later and now_s >= holding.begins_s:
                self._begin(holding, need_w, waits_since_s, now_s)
            elif holding.active and holding.renew(round(contract_s), now_s):
                self.tell(EventKind.UPDATE, holding, Cause.RENEWED)

    def _begin(self, holding: Holding, need_w: float, waits_since_s: float, now_s: float) -> None:
        """The begin of a contract for a later span, once its device needs the power and it is there."""
        if need_w and holding.ready:
            holding.begin(now_s)
            self.tell(EventKind.UPDATE, holding, Cause.BEGIN)
        elif now_s >= holding.begins_s + CLAIM_S:
            self.end(holding, EventKind.STOP, Cause.DEVICE)
        elif need_w and now_s >= max(holding.begins_s, waits_since_s) + LATE_S:
            self.end(holding, EventKind.STOP, Cause.UNCONFIRMED)

    def expire(self, holding: Holding) -> None:
        """The end of a contract: it goes on with the suppliers that have renewed it."""
        if holding.go_on():
            self.tell(EventKind.UPDATE, holding, Cause.END)
        else:
            self.end(holding, EventKind.EXPIRY, Cause.END)

    def use(self, need_w: float) -> None:
        """Spread the need over the active contracts; return a reserve beyond the margin."""
        holdings = self.active
        changed = {id(holding): holding.come_down() for holding in holdings}
        if self.extra in holdings and need_w < (1 - MARGIN) * sum(h.contract.agreed_w for h in holdings):
            main_w = self.main.contract.max_w if self.main and self.main.active else 0.0
            if need_w <= main_w and self.extra:
                self.end(self.extra, EventKind.STOP, Cause.DEVICE)
                holdings = self.active
        whole_w = sum(holding.contract.max_w for holding in holdings)
        for holding in holdings:
            power_w = round_w(min(need_w / whole_w, 1.0) * holding.contract.max_w)
            shrink = power_w < (1 - MARGIN) * holding.contract.agreed_w
            curtailed = changed[id(holding)]
            if holding.use(power_w, shrink) or curtailed:
                self.tell(EventKind.UPDATE, holding, Cause.CURTAILED if curtailed else Cause.DEVICE)

    def merge(self, now_s: float) -> None:
        """The complementary contract joins the main one once it is old enough."""
        main, extra = self.main, self.extra
        if not (main and extra and main.active and extra.active):
            return
        suppliers = {part.supplier for each in (main, extra) for part in each.contract.parts}
        if now_s >= extra.valid_since_s + self._merge_s and len(suppliers) <= MAX_PARTS:
            main.join(extra)
            self.extra = None
            self.tell(EventKind.MERGE, main, Cause.MERGED)

    def lose(self, holding: Holding, supplier: str, cause: Cause) -> None:
        """A supplier ended its part. An active contract goes on with the others."""
        if holding.drop(supplier):
            self.tell(EventKind.UPDATE, holding, cause)
        else:
            self.end(holding, EventKind.STOP, cause)

    def end(self, holding: Holding, kind: EventKind, cause: Cause) -> None:
        """End a contract. When the main one ends, the complementary one takes its place."""
        if holding.contract.valid:
            self.tell(kind, holding, cause)
        if holding is self.main:
            self.main, self.extra = self.extra, None
        else:
            self.extra = None

    def tell(self, kind: EventKind, holding: Holding, cause: Cause) -> None:
        """Something happened to a contract."""
        self._tell_contract(kind, holding.contract, cause, holding is self.extra)
