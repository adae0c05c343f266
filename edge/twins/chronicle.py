"""The events of a twin: what happened to its request, its production and its contracts (thesis 5.2.2.1)."""

import math
from typing import TYPE_CHECKING

from ..energy.consumer import Consumer
from ..energy.events import Cause, EventKind, EventLog, Role
from ..energy.messages import Contract
from ..energy.rules import EVENT, MARGIN
from ..space.lsa import HERE

if TYPE_CHECKING:
    from .trading import TradingTwin

_EVENT_LIFE_S = 5


class Chronicle:
    """Notes events and publishes the last few."""

    def __init__(self, twin: "TradingTwin") -> None:
        self.events = EventLog()
        self.validated = 0  # contracts
        self.validated_across = 0  # those with a supplier on another node
        self._twin = twin
        self._role = (False, False)  # whether the device consumes and produces

    def powers(self, consumed_w: float, produced_w: float) -> None:
        """The device draws and gives that much: it may have turned from one to the other."""
        role = (consumed_w > 0, produced_w > 0)
        if any(self._role) and any(role) and role != self._role:
            turned = Role.PRODUCTION if produced_w > consumed_w else Role.REQUEST
            power_w = abs(consumed_w - produced_w)
            self.events.note(EventKind.SWITCH, turned, power_w, self._now_s, Cause.DEVICE)
            self.publish()
        self._role = role

    def request(self, consumer: Consumer, cause: Cause, ends_s: float = math.inf) -> None:
        """The need may have changed, or may have been given up."""
        if consumer.gave_up:
            if self.events.open_w(Role.REQUEST):
                self.events.note(EventKind.EXPIRY, Role.REQUEST, 0.0, self._now_s, Cause.TOLERANCE)
                self.publish()
            return
        if self.events.follow(
            Role.REQUEST, consumer.need_w, self._now_s, cause, ends_s=ends_s, margin=MARGIN
        ):
            self.publish()

    def production(self, power_w: float, cause: Cause, ends_s: float = math.inf) -> None:
        """The production may have changed."""
        if self.events.follow(Role.PRODUCTION, power_w, self._now_s, cause, ends_s=ends_s):
            self.publish()

    def contract(self, kind: EventKind, contract: Contract, cause: Cause, complementary: bool) -> None:
        """A contract has started, changed or ended."""
        twin = self._twin
        if kind is EventKind.START:
            self.validated += 1
            node = twin.name.split(".")[0]
            self.validated_across += any(part.supplier.split(".")[0] != node for part in contract.parts)
        ended = kind in (EventKind.STOP, EventKind.EXPIRY)
        self.events.note(
            kind,
            Role.CONTRACT,
            0.0 if ended else contract.power_w,
            self._now_s,
            cause,
            contract=contract.id,
            revision=contract.revision,
            begins_s=twin.consumer.begins_s,
            ends_s=twin.consumer.ends_s(contract),
            partner=max(contract.parts, key=lambda part: part.power_w).supplier if contract.parts else "",
            partners=len(contract.parts),
            complementary=complementary,
        )
        self.publish()

    def publish(self) -> None:
        """Show them to the twins of this node."""
        if self._twin.handle:
            self._twin.submit(EVENT, self.events.encode(), life_s=_EVENT_LIFE_S, reach=HERE)

    @property
    def _now_s(self) -> float:
        return self._twin.home.clock.now_s()
