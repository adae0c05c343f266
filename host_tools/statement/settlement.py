"""The settlement of a period: a sharing key over the books, summed by member and day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.energy.sharing import Entry, Key, Share, Span, Step, members_at, share, steps
from edge.terms import Quality

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Prices:
    """Per kWh, in the currency of the community: of the supplier, for feeding in, within the community."""

    retail: float = 0.30
    feed_in: float = 0.08
    community: float = 0.18


@dataclass(slots=True)
class Account:
    """Energies of one member in a day or in all, in whole Wh, and the number of steps by quality."""

    injected_wh: int = 0
    withdrawn_wh: int = 0
    received_wh: int = 0
    given_wh: int = 0
    steps: dict[Quality, int] = field(default_factory=lambda: dict.fromkeys(Quality, 0))
    unsure: int = 0  # steps that it measured, in which another member was filled or missing

    @property
    def residual_wh(self) -> int:
        """What its supplier provides."""
        return self.withdrawn_wh - self.received_wh

    @property
    def surplus_wh(self) -> int:
        """What goes to the grid."""
        return self.injected_wh - self.given_wh

    def cost(self, prices: Prices) -> float:
        """What it pays for all that it draws."""
        return (self.received_wh * prices.community + self.residual_wh * prices.retail) / 1000

    def earned(self, prices: Prices) -> float:
        """What it gets for all that it feeds in."""
        return (self.given_wh * prices.community + self.surplus_wh * prices.feed_in) / 1000

    def gain(self, prices: Prices) -> float:
        """What the community brings it, against its supplier alone."""
        bought = self.received_wh * (prices.retail - prices.community)
        return (bought + self.given_wh * (prices.community - prices.feed_in)) / 1000

    def add(self, entry: Entry, each: Share) -> None:
        """One more step. What is missing adds nothing but its mark."""
        self.steps[entry.quality] += 1
        self.injected_wh += entry.injected_wh
        self.withdrawn_wh += entry.withdrawn_wh
        self.received_wh += each.received_wh
        self.given_wh += each.given_wh
        self.unsure += each.quality is Quality.MEASURED and each.sure is not Quality.MEASURED


@dataclass(slots=True)
class Settlement:
    """The outcome of a key: what each step gave, and the accounts of members in all and by day."""

    key: Key
    steps: list[tuple[float, Step, dict[str, Share]]] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    days: dict[str, dict[int, Account]] = field(default_factory=dict)

    @property
    def ceiling_wh(self) -> int:
        """The most that any key could share: in each step the smaller of all fed in and all drawn."""
        return sum(
            min(
                sum(entry.injected_wh for entry in step.values()),
                sum(entry.withdrawn_wh for entry in step.values()),
            )
            for _, step, _ in self.steps
        )

    @property
    def shared_wh(self) -> int:
        """What was shared."""
        return sum(account.received_wh for account in self.accounts.values())


def settle(
    key: Key, books: Mapping[int, Step], spans: Mapping[str, Sequence[Span]] | None = None
) -> Settlement:
    """Divide each step among those who are members then; without `spans` everybody in the books is one."""
    result = Settlement(key)
    for begin_s, step in steps(key, _of_members(books, spans)):
        shares = share(key, step, begin_s)
        result.steps.append((begin_s, step, shares))
        for member, each in shares.items():
            account = result.accounts.setdefault(member, Account())
            days = result.days.setdefault(member, {})
            day = days.setdefault(int(begin_s // _DAY_S) * _DAY_S, Account())
            account.add(step[member], each)
            day.add(step[member], each)
    return result


def _of_members(
    books: Mapping[int, Step], spans: Mapping[str, Sequence[Span]] | None
) -> Iterable[tuple[float, Step]]:
    for begin_s, step in books.items():
        inside = step.keys() if spans is None else members_at(spans, begin_s)
        yield begin_s, {member: entry for member, entry in step.items() if member in inside}
