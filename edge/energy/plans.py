"""Messages of flexible loads and suppliers about planned runs (beyond the thesis, which defers by price).

A plan asks for a run of some length, starting at any time up to a latest start. Each supplier that expects
enough free power answers with the earliest start it can offer. The consumer names the supplier it chooses,
and that one sets the power aside. Times are seconds relative to the first publication, because the date of a
node without a clock chip may be wrong by years.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from .parsing import integer, number, power, read_object

_LONGEST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned run of `run_s` with `power_w`, started within `latest_in_s`; `supplier` once it is booked."""

    id: int
    power_w: float
    run_s: float
    latest_in_s: float
    supplier: str = ""

    def encode(self) -> bytes:
        times_s = {"run_s": self.run_s, "latest_in_s": self.latest_in_s}
        return orjson.dumps({"id": self.id, "w": self.power_w, **times_s, "supplier": self.supplier})


@dataclass(frozen=True, slots=True)
class Start:
    """A supplier's offer: the plan can start in `in_s` seconds."""

    plan_id: int
    in_s: float


def parse_plan(data: bytes) -> Plan:
    """Parse a message. Raises ValueError, KeyError or TypeError."""
    fields = read_object(data)
    supplier = fields["supplier"]
    if not isinstance(supplier, str):
        raise ValueError("supplier is not a name")
    return Plan(
        integer(fields, "id"),
        power(fields["w"]),
        number(fields["run_s"], 1.0, _LONGEST_S),
        number(fields["latest_in_s"], 0.0, _LONGEST_S),
        supplier,
    )


def encode_starts(starts: Mapping[str, Start]) -> bytes:
    """The table of start times that a supplier publishes, by consumer."""
    return orjson.dumps({consumer: [each.plan_id, each.in_s] for consumer, each in starts.items()})


def parse_starts(data: bytes) -> dict[str, Start]:
    """Parse a message. Raises ValueError, KeyError or TypeError."""
    starts = {}
    for consumer, row in read_object(data).items():
        plan_id, in_s = row
        if type(plan_id) is not int:
            raise ValueError("the id of a plan is not a whole number")
        starts[consumer] = Start(plan_id, number(in_s, 0.0, _LONGEST_S))
    return starts
