"""What flexible loads and suppliers say about a later run (beyond the thesis, which defers by price).

A plan asks for power for a while, starting any time up to a latest moment. Each supplier that expects enough
free power answers with the earliest start it can keep; the consumer names the one it takes, and that
supplier sets the power aside. Times are seconds from when they were first said, since the date of a
node without a clock chip may be wrong by years.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from .parsing import integer, number, power, read_object

_LONGEST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A run to come: `power_w` for `run_s`, started within `latest_in_s`; `supplier` once one is taken."""

    id: int
    power_w: float
    run_s: float
    latest_in_s: float
    supplier: str = ""

    def encode(self) -> bytes:
        return orjson.dumps(
            {
                "id": self.id,
                "w": self.power_w,
                "run_s": self.run_s,
                "latest_in_s": self.latest_in_s,
                "supplier": self.supplier,
            }
        )


@dataclass(frozen=True, slots=True)
class Start:
    """A supplier's word: that plan can start in so many seconds."""

    plan_id: int
    in_s: float


def parse_plan(data: bytes) -> Plan:
    """Raises ValueError, KeyError or TypeError."""
    fields = read_object(data)
    supplier = fields["supplier"]
    if not isinstance(supplier, str):
        raise ValueError("supplier is no name")
    return Plan(
        integer(fields, "id"),
        power(fields["w"]),
        number(fields["run_s"], 1.0, _LONGEST_S),
        number(fields["latest_in_s"], 0.0, _LONGEST_S),
        supplier,
    )


def encode_starts(starts: Mapping[str, Start]) -> bytes:
    """The table a supplier publishes, by consumer."""
    return orjson.dumps({consumer: [each.plan_id, each.in_s] for consumer, each in starts.items()})


def parse_starts(data: bytes) -> dict[str, Start]:
    """Raises ValueError, KeyError or TypeError."""
    starts = {}
    for consumer, row in read_object(data).items():
        plan_id, in_s = row
        if type(plan_id) is not int:
            raise ValueError("a plan has a number")
        starts[consumer] = Start(plan_id, number(in_s, 0.0, _LONGEST_S))
    return starts
