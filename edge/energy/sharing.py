"""Sharing keys: who gets how much of what a community feeds in, quarter-hour by quarter-hour.

One pure function, `share`, over the energies that the meters of the members count in one step of settlement.
All energies are whole watt-hours and every division is exact, so that sums are true to the watt-hour:

- what is received is what is given, and nobody receives more than it drew or gives more than it fed in;
- `dynamic` reaches the ceiling, the smaller of all that was fed in and all that was drawn; no key exceeds it.

Beyond the thesis, which has no settlement: docs/community.md names the rules of countries behind each key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import NamedTuple, TypeVar

from ..terms import Quality

QUARTER_S, HOUR_S = 900, 3600
WHOLE = 1_000_000  # coefficients are millionths
_SURENESS = list(Quality)
Wh = Mapping[str, int]  # by member
K = TypeVar("K", bound=str | tuple[str, int])


class Entry(NamedTuple):
    """What the meter of a member counted in one step. A missing entry has no energy, which is not zero."""

    injected_wh: int
    withdrawn_wh: int
    quality: Quality = Quality.MEASURED


Step = Mapping[str, Entry]  # by member


class Share(NamedTuple):
    """What a member receives from the community and gives to it in one step."""

    received_wh: int
    given_wh: int
    quality: Quality  # of its own entry
    sure: Quality  # the worst of all entries of the step: others may change what it receives


class Span(NamedTuple):
    """From when and until when somebody is a member (Unix time); both at a quarter-hour of UTC."""

    from_s: float = -inf
    until_s: float = inf


def members_at(spans: Mapping[str, Sequence[Span]], at_s: float) -> set[str]:
    """Who is a member in the step that begins then. Raises ValueError for a span off the quarter-hour."""
    for member, each in ((member, span) for member, held in spans.items() for span in held):
        for moment_s in each:
            if abs(moment_s) != inf and moment_s % QUARTER_S:
                raise ValueError(f"{member} joins or leaves at {moment_s:g} s, not at a quarter-hour")
    return {
        member for member, held in spans.items() if any(each.from_s <= at_s < each.until_s for each in held)
    }


def apportion(whole: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Divide `whole` by weights into whole numbers with this sum: the largest remainders get one more.

    Nobody gets more than its exact part rounded up, so no more than its weight if `whole` is at most their
    sum. Without weights nobody gets anything.
    """
    total = sum(weights.values())
    if total <= 0:
        return dict.fromkeys(weights, 0)
    parts = {member: whole * weight // total for member, weight in weights.items()}
    left = whole - sum(parts.values())
    for member in sorted(weights, key=lambda each: (-(whole * weights[each] % total), each))[:left]:
        parts[member] += 1
    return parts


@dataclass(frozen=True, slots=True)
class Key:
    """How one step is divided. `step_s`: the length of a step of settlement.

    `divide` gives what each member receives, of all that was fed in and what each drew; `at_s` is the begin
    of the step. It never gives a member more than it drew, nor all together more than was fed in.
    """

    name: str
    step_s: int = QUARTER_S

    def divide(self, injected_wh: int, drawn_wh: Wh, at_s: float) -> dict[str, int]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Dynamic(Key):
    """In proportion to what each drew. It reaches the ceiling."""

    name: str = "dynamic"

    def divide(self, injected_wh: int, drawn_wh: Wh, at_s: float) -> dict[str, int]:
        return apportion(min(injected_wh, sum(drawn_wh.values())), drawn_wh)


@dataclass(frozen=True, slots=True)
class Virtual(Dynamic):
    """The smaller of all fed in and all drawn in an hour, in proportion to what each drew."""

    name: str = "virtual"
    step_s: int = HOUR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Static(Key):
    """Fixed parts, in millionths. What a member cannot use is surplus."""

    name: str = "static"
    parts: Wh

    def __post_init__(self) -> None:
        check_parts(self.parts)

    def divide(self, injected_wh: int, drawn_wh: Wh, at_s: float) -> dict[str, int]:
        return _capped(apportion(injected_wh, self.parts), drawn_wh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capped(Static):
    """Fixed parts; what a member cannot use goes to the others by their parts, until all are served."""

    name: str = "capped"

    def divide(self, injected_wh: int, drawn_wh: Wh, at_s: float) -> dict[str, int]:
        received = dict.fromkeys(drawn_wh, 0)
        left_wh = injected_wh
        while left_wh:
            hungry = {each: self.parts.get(each, 0) for each in drawn_wh if received[each] < drawn_wh[each]}
            more = _capped(
                apportion(left_wh, hungry), {each: drawn_wh[each] - received[each] for each in hungry}
            )
            given = sum(more.values())
            if not given:
                break
            for member, energy_wh in more.items():
                received[member] += energy_wh
            left_wh -= given
        return received


@dataclass(frozen=True, slots=True, kw_only=True)
class Hourly(Key):
    """Parts fixed in advance for each hour: of the day (24), or of the year (8 760 or 8 784), in UTC."""

    name: str = "hourly"
    parts: Mapping[str, Sequence[int]]
    year_began_s: float = 0.0  # of the first hour

    def __post_init__(self) -> None:
        lengths = {len(each) for each in self.parts.values()}
        if len(lengths) != 1 or not lengths <= {24, 8760, 8784}:
            raise ValueError("each member needs 24, 8760 or 8784 coefficients, and all the same number")
        for hour in range(*lengths):
            check_parts({member: each[hour] for member, each in self.parts.items()}, f" in hour {hour + 1}")

    def divide(self, injected_wh: int, drawn_wh: Wh, at_s: float) -> dict[str, int]:
        hours = len(next(iter(self.parts.values())))
        hour = int((at_s - self.year_began_s) // HOUR_S) % hours
        return _capped(
            apportion(injected_wh, {member: each[hour] for member, each in self.parts.items()}), drawn_wh
        )


def check_parts(parts: Wh, where: str = "") -> None:
    """Raises ValueError unless the coefficients are parts of one whole."""
    if any(part < 0 for part in parts.values()) or sum(parts.values()) != WHOLE:
        raise ValueError(f"the coefficients{where} must be at least 0 and have the sum 1")


def _capped(parts: Wh, drawn_wh: Wh) -> dict[str, int]:
    """A part of somebody who is no member now is nobody's."""
    return {member: min(parts.get(member, 0), drawn) for member, drawn in drawn_wh.items()}


def share(key: Key, step: Step, at_s: float = 0.0) -> dict[str, Share]:
    """What each member receives and gives in the step of settlement that begins then (Unix time).

    Who gives is settled in proportion to what each fed in. A member without a measurement takes no part, and
    the step says so.
    """
    for member, entry in step.items():
        if entry.injected_wh < 0 or entry.withdrawn_wh < 0:
            raise ValueError(f"{member}: an energy is below 0")
    known = {member: entry for member, entry in step.items() if entry.quality is not Quality.MISSING}
    injected = {member: entry.injected_wh for member, entry in known.items()}
    drawn = {member: entry.withdrawn_wh for member, entry in known.items()}
    received = key.divide(sum(injected.values()), drawn, at_s)
    given = apportion(sum(received.values()), injected)
    sure = worst(entry.quality for entry in step.values())
    return {
        member: Share(received.get(member, 0), given.get(member, 0), entry.quality, sure)
        for member, entry in step.items()
    }


def worst(qualities: Iterable[Quality]) -> Quality:
    """The least sure of them."""
    return max(qualities, key=_SURENESS.index, default=Quality.MEASURED)


def steps(key: Key, books: Iterable[tuple[float, Step]]) -> Iterator[tuple[float, Step]]:
    """The steps of settlement of a key from quarter-hours in order of time (begin in Unix time, entries).

    A member that was one for a part of an hour counts with that part; one missing quarter-hour makes its
    hour missing.
    """
    if key.step_s == QUARTER_S:
        yield from books
        return
    for begin, quarters in groupby(books, lambda each: each[0] // key.step_s):
        merged: dict[str, list[Entry]] = {}
        for _, step in quarters:
            for member, entry in step.items():
                merged.setdefault(member, []).append(entry)
        yield begin * key.step_s, {member: _sum(entries) for member, entries in merged.items()}


def _sum(entries: Sequence[Entry]) -> Entry:
    quality = worst(entry.quality for entry in entries)
    if quality is Quality.MISSING:
        return Entry(0, 0, quality)
    return Entry(
        sum(entry.injected_wh for entry in entries), sum(entry.withdrawn_wh for entry in entries), quality
    )
