"""The supplying side of planned runs: start times that are offered, and power that is set aside for them.

A booking is a plan based on a forecast, not a contract. Around its start the consumer requests power as usual
and finds it set aside, so no invariant of contracts depends on a forecast. Runs that do not fit at the same
time are booked one after the other, which staggers them.
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
        """When the booking may have to be dropped."""
        if not self.firm:
            return self.expires_s
        return self.ends_s if self.claimed else min(self.ends_s, self.starts_s + CLAIM_S)


class Bookings:
    """The planned runs for which one supplier sets power aside."""

    def __init__(self, supplier: str) -> None:
        self._supplier = supplier
        self._bookings: dict[str, _Booking] = {}
        self._free = FreePower()

    def __len__(self) -> int:
        return len(self._bookings)

    def note(self, free_w: float, wall_s: float | None) -> None:
        """Record the power that is free now, for the forecast; see `FreePower` for the time."""
        self._free.note(free_w, wall_s)

    def see(self, consumer: str, plan: Plan | None, now_s: float, wall_s: float) -> None:
        """A flexible load has published its plan, or withdrawn it (None)."""
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
        """Drop the booking of a consumer."""
        self._bookings.pop(consumer, None)

    def step(self, now_s: float, claims: Callable[[str], bool]) -> None:
        """Drop bookings that were not accepted, that are over, or whose run began with another supplier.

        `claims` tells whether a consumer requests power here or already has a promise.
        """
        for booking in [each for each in self._bookings.values() if now_s >= each.due_s]:
            booking.claimed = booking.firm and now_s < booking.ends_s and claims(booking.consumer)
            if not booking.claimed:
                del self._bookings[booking.consumer]

    def starts(self) -> Mapping[str, Start]:
        """The start times on offer or booked, by consumer."""
        return {consumer: booking.start for consumer, booking in self._bookings.items()}

    @property
    def due_s(self) -> float:
        """When `step` has something to do; inf if never."""
        return min((each.due_s for each in self._bookings.values()), default=float("inf"))

    def set_aside_w(self, consumer: str, now_s: float, held_w: Callable[[str], float]) -> float:
        """The power set aside now for consumers other than this one, beyond their contracts, in W.

        It is set aside only around the start of a run: a load that cannot start must not block the others.
        """
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
        """Whether the power is expected to be free for the whole run."""
        ends_in_s = in_s + plan.run_s
        while in_s < ends_in_s:
            at_s = now_s + in_s
            booked_w = sum(b.power_w for b in self._bookings.values() if b.starts_s <= at_s < b.ends_s)
            if self._free.expect(wall_s + in_s, in_s) - booked_w < plan.power_w:
                return False
            in_s += SLOT_S
        return True
