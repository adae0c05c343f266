"""Energy events: what happened to a prosumer, for the learning twin and the history (thesis 4.3, 5.2.2.1).

A flow is a request, a production or a contract from its start to its end. Each event of a flow names the
event that started it, its origin.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson


class EventKind(StrEnum):
    """Categories of events."""

    START = "start"
    UPDATE = "update"
    STOP = "stop"
    EXPIRY = "expiry"
    SWITCH = "switch"  # of a device, from consumption to production or back
    MERGE = "merge"  # a complementary contract has joined the main one


class Role(StrEnum):
    """What an event is about."""

    REQUEST = "request"
    PRODUCTION = "production"
    CONTRACT = "contract"


class Cause(StrEnum):
    """Why an event happened."""

    DEVICE = "device"  # the device draws or gives another power
    CONFIRMED = "confirmed"  # all suppliers have agreed
    BEGIN = "begin"  # the begin date was reached
    END = "end"  # the end date was reached
    UNCONFIRMED = "unconfirmed"  # a supplier did not confirm in time
    WITHDRAWN = "withdrawn"  # a supplier ended its part
    CURTAILED = "curtailed"  # a supplier asked for less
    LOST = "lost"  # a supplier has left the microgrid
    RENEWED = "renewed"  # all suppliers have agreed to another term
    MERGED = "merged"  # the complementary contract has joined the main one
    TOLERANCE = "tolerance"  # the request was not served within its tolerance
    STOP_ORDER = "stop_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyEvent:
    """Something that changed the electrical state of a node. Times are those of `clock.now_s`.

    `number` counts the events of a twin. `partner` is the supplier of a contract, of several the largest, and
    `partners` their number; `contract` and `revision` are None for a request or a production.
    """

    number: int
    kind: EventKind
    role: Role
    power_w: float
    at_s: float
    cause: Cause
    begins_s: float = math.nan  # of the flow; nan: before a restart
    ends_s: float = math.inf  # planned, or actual
    partner: str = ""
    partners: int = 0
    complementary: bool = False
    origin: int | None = None  # number of the event that started the flow
    contract: int | None = None
    revision: int | None = None

    def row(self) -> list[Any]:
        """As it is published; begin and end in seconds after the event, None if not known or not planned."""
        dates_s = (self.begins_s, self.ends_s)
        begins_s, ends_s = (round(each - self.at_s, 3) if math.isfinite(each) else None for each in dates_s)
        return [
            self.number,
            self.kind,
            self.role,
            round(self.power_w, 3),
            self.cause,
            begins_s,
            ends_s,
            self.partner,
            self.partners,
            int(self.complementary),
            self.origin,
            self.contract,
            self.revision,
        ]


@dataclass(slots=True)
class _Flow:
    origin: int
    begins_s: float
    power_w: float


class EventLog:
    """The last few events of one twin, and its open flows."""

    def __init__(self, size: int = 5) -> None:
        self._events: deque[EnergyEvent] = deque(maxlen=size)
        self._flows: dict[tuple[Role, int], _Flow] = {}
        self.total = 0

    def note(
        self,
        kind: EventKind,
        role: Role,
        power_w: float,
        now_s: float,
        cause: Cause,
        *,
        contract: int = 0,
        revision: int = 0,
        begins_s: float | None = None,
        ends_s: float = math.inf,
        partner: str = "",
        partners: int = 0,
        complementary: bool = False,
    ) -> None:
        """Remember an event; the oldest makes room. `contract` is the id of a contract, 0 for other flows;
        `begins_s`: of a flow that starts, if that is not now."""
        key = role, contract
        ended = kind in (EventKind.STOP, EventKind.EXPIRY)
        if kind is EventKind.START:
            self._flows[key] = _Flow(self.total, now_s if begins_s is None else begins_s, power_w)
        flow = self._flows.pop(key, None) if ended else self._flows.get(key)
        if flow:
            flow.power_w = power_w
        if kind is EventKind.MERGE:
            self._flows = {k: v for k, v in self._flows.items() if k[0] is not role or k == key}
        self._events.append(
            EnergyEvent(
                number=self.total,
                kind=kind,
                role=role,
                power_w=power_w,
                at_s=now_s,
                cause=cause,
                begins_s=flow.begins_s if flow else math.nan,
                ends_s=now_s if ended else ends_s,
                partner=partner,
                partners=partners,
                complementary=complementary,
                origin=flow.origin if flow and kind is not EventKind.START else None,
                contract=contract if role is Role.CONTRACT else None,
                revision=revision if role is Role.CONTRACT else None,
            )
        )
        self.total += 1

    def open_w(self, role: Role) -> float:
        """The power of the open request or production, as last noted; 0 if there is none."""
        flow = self._flows.get((role, 0))
        return flow.power_w if flow else 0.0

    def follow(
        self,
        role: Role,
        power_w: float,
        now_s: float,
        cause: Cause,
        *,
        ends_s: float = math.inf,
        margin: float = 0.0,
    ) -> bool:
        """Note what follows from the power of a request or production now: a start, an update or a stop.

        Changes within `margin`, a share of the power last noted, are no event. Returns whether there was one.
        """
        before_w = self.open_w(role)
        if abs(power_w - before_w) <= margin * before_w and bool(power_w) == bool(before_w):
            return False
        kind = EventKind.START if not before_w else EventKind.STOP if not power_w else EventKind.UPDATE
        self.note(kind, role, power_w, now_s, cause, ends_s=ends_s)
        return True

    def encode(self) -> bytes:
        """The events as JSON, oldest first, numbered so that a reader can tell new ones."""
        return orjson.dumps([each.row() for each in self._events])
