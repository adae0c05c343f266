"""The supplying side of runs at a later time: starts that are offered, and power that is set aside for them.

A booking is a plan against a forecast, not a contract: around its start the consumer asks as usual and finds
the power kept free. So no invariant of contracts rests on a forecast. Booked runs stand one after the
other where they do not fit beside each other: that staggers them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .forecast import FreePower
from .plans import Plan, Start
from .rules import CLAIM_S, NEAR_S, OFFER_VALIDITY_S, SLOT_S, with_margin

_BOOKINGS_MAX = 16


@dataclass(slots=True, eq=False)
class _Booking:
    consumer: str
    start: Start
    power_w: float  # margin included
    starts_s: float
    ends_s: float
    expires_s: float  # while it is only offered
    firm: bool = False
    claimed: bool = False

    @property
    def due_s(self) -> float:
        """When it may have to go."""
        if not self.firm:
            return self.expires_s
        return self.ends_s if self.claimed else min(self.ends_s, self.starts_s + CLAIM_S)


class Bookings:
    """What one supplier has promised to keep free."""

    def __init__(self, supplier: str) -> None:
        self._supplier = supplier
        self._bookings: dict[str, _Booking] = {}
        self._free = FreePower()

    def __len__(self) -> int:
        return len(self._bookings)

    def note(self, free_w: float, wall_s: float) -> None:
        """What it has free now, for the forecast."""
        self._free.note(free_w, wall_s)

    def see(self, consumer: str, plan: Plan | None, now_s: float, wall_s: float) -> None:
        """A flexible load shows its plan, or none any more."""
        booking = self._bookings.get(consumer)
        if plan is None or (plan.supplier and plan.supplier != self._supplier):
            self.forget(consumer)
        elif plan.supplier:
            if booking and booking.start.plan_id == plan.id:
                booking.firm = True
        elif booking is None or booking.start.plan_id != plan.id:
            self.forget(consumer)
            if len(self._bookings) < _BOOKINGS_MAX:
                self._offer(consumer, plan, now_s, wall_s)

    def forget(self, consumer: str) -> None:
        """A consumer has no plan any more."""
        self._bookings.pop(consumer, None)

    def step(self, now_s: float, claims: Callable[[str], bool]) -> None:
        """Drop what was not taken, what is over, and runs that began elsewhere. `claims`: whether a consumer
        asks for power here, or has some."""
        for booking in [each for each in self._bookings.values() if now_s >= each.due_s]:
            booking.claimed = booking.firm and now_s < booking.ends_s and claims(booking.consumer)
            if not booking.claimed:
                del self._bookings[booking.consumer]

    def starts(self) -> Mapping[str, Start]:
        """The starts that stand, by consumer."""
        return {consumer: booking.start for consumer, booking in self._bookings.items()}

    @property
    def due_s(self) -> float:
        """When `step` has something to do."""
        return min((each.due_s for each in self._bookings.values()), default=float("inf"))

    def set_aside_w(self, consumer: str, now_s: float, held_w: Callable[[str], float]) -> float:
        """What is kept free now for others than that consumer, beyond what contracts give them, in W: around
        their starts, since who cannot start with what there is should not keep it from the rest."""
        return sum(
            max(0.0, each.power_w - held_w(each.consumer))
            for each in self._bookings.values()
            if each.firm and each.consumer != consumer and -NEAR_S <= now_s - each.starts_s < CLAIM_S
        )

    def _offer(self, consumer: str, plan: Plan, now_s: float, wall_s: float) -> None:
        in_s = 0.0
        while in_s <= plan.latest_in_s:
            if self._fits(plan, in_s, now_s, wall_s):
                starts_s = now_s + in_s
                self._bookings[consumer] = _Booking(
                    consumer,
                    Start(plan.id, in_s),
                    with_margin(plan.power_w),
                    starts_s,
                    starts_s + plan.run_s,
                    now_s + OFFER_VALIDITY_S,
                )
                return
            in_s += SLOT_S

    def _fits(self, plan: Plan, in_s: float, now_s: float, wall_s: float) -> bool:
        """Whether its power is expected to be free for the whole run."""
        ends_in_s = in_s + plan.run_s
        while in_s < ends_in_s:
            at_s = now_s + in_s
            booked_w = sum(b.power_w for b in self._bookings.values() if b.starts_s <= at_s < b.ends_s)
            if self._free.expect(wall_s + in_s, in_s) - booked_w < plan.power_w:
                return False
            in_s += SLOT_S
        return True
