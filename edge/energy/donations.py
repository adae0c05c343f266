"""Donations of unused energy to the common storage (thesis 7.5.3.1), and the books of both sides.

A donor numbers its donations and repeats one until the storage has booked it, so a lost message costs nothing
and a repeated one is booked once. `series` tells the numbers of one run of a donor from those of another.
Energy is in whole milliwatt-hours, so that both books agree exactly.
"""

import math
from dataclasses import dataclass
from typing import Any

from msgspec import DecodeError, msgpack

from .book import node_of
from .parsing import whole
from .rules import MAX_POWER_W

LEAST_WH = 0.5  # less is not worth a message
EVERY_S = 10.0  # so far apart are two donations of a donor
WAITS_S = 15.0  # what is unused while a donation waits longer than that is lost to the storage
GATHERED_S = 60.0  # so much a member may have gathered
DONORS_MAX = 128  # that a storage remembers; no setting: who has been silent longest makes room
_MOST_MWH = 10**9  # a megawatt-hour
_MOST = 2**53


@dataclass(frozen=True, slots=True)
class Donation:
    """The `number`-th donation of a donor, in mWh."""

    series: int
    number: int
    energy_mwh: int

    @property
    def energy_wh(self) -> float:
        return self.energy_mwh / 1000

    def encode(self) -> bytes:
        return msgpack.encode([self.series, self.number, self.energy_mwh])


@dataclass(frozen=True, slots=True)
class Receipt:
    """The storage has booked a donation: `taken_mwh` of it; the rest found no room."""

    series: int
    number: int
    taken_mwh: int

    def row(self) -> list[int]:
        return [self.series, self.number, self.taken_mwh]


def parse_donation(data: bytes) -> Donation:
    """Raises ValueError for anything else."""
    row = _unpacked(data)
    if not isinstance(row, list) or len(row) != 3:
        raise ValueError("invalid donation")
    return Donation(whole(row[0], most=_MOST), whole(row[1], 1, _MOST), whole(row[2], 1, _MOST_MWH))


def encode_receipts(receipts: dict[str, Receipt]) -> bytes:
    """Receipts by donor, for the node of these donors."""
    return msgpack.encode({donor: receipt.row() for donor, receipt in receipts.items()})


def parse_receipts(data: bytes) -> dict[str, Receipt]:
    """Raises ValueError for anything else."""
    table = _unpacked(data)
    if not isinstance(table, dict) or not all(isinstance(donor, str) for donor in table):
        raise ValueError("invalid receipts")
    receipts = {}
    for donor, row in table.items():
        if not isinstance(row, list) or len(row) != 3:
            raise ValueError("invalid receipt")
        receipts[donor] = Receipt(
            whole(row[0], most=_MOST), whole(row[1], 0, _MOST), whole(row[2], 0, _MOST_MWH)
        )
    return receipts


def _unpacked(data: bytes) -> Any:
    try:
        return msgpack.decode(data)
    except (DecodeError, RecursionError):
        raise ValueError("not msgpack") from None


class Donor:
    """Gives `share` of what it produces and nobody uses to the common storage."""

    def __init__(self, series: int, share: float) -> None:
        """`share`: its policy, from 0 (gives nothing) to 1 (gives all that is unused)."""
        self.share = share
        self.pending: Donation | None = None
        self.given_mwh = 0  # as the storage has booked it
        self.offered_mwh = 0  # all donations, the pending one included
        self._series = series
        self._number = 0
        self._unused_wh = 0.0
        self._unused_w = 0.0
        self._counted_s = math.nan
        self._offered_s = -math.inf

    def step(self, unused_w: float, wanted: bool, now_s: float) -> None:
        """Count what was unused until now. `wanted`: there is a storage that has room."""
        seconds = 0.0 if math.isnan(self._counted_s) else now_s - self._counted_s
        self._counted_s = now_s
        stuck = self.pending is not None and now_s >= self._offered_s + WAITS_S
        if not stuck:
            self._unused_wh += self._unused_w * seconds / 3600
        self._unused_w = self.share * unused_w if wanted else 0.0
        if self.pending or not wanted or now_s < self._offered_s + EVERY_S or self._unused_wh <= LEAST_WH:
            return
        energy_mwh = min(int(1000 * self._unused_wh), _MOST_MWH)
        self._number += 1
        self.pending = Donation(self._series, self._number, energy_mwh)
        self._unused_wh -= energy_mwh / 1000
        self.offered_mwh += energy_mwh
        self._offered_s = now_s

    def see(self, receipt: Receipt) -> bool:
        """The storage has answered; whether that ends the pending donation."""
        waiting = self.pending
        if waiting is None or (receipt.series, receipt.number) != (waiting.series, waiting.number):
            return False
        self.given_mwh += min(receipt.taken_mwh, waiting.energy_mwh)
        self.pending = None
        return True


class Donations:
    """What the storage has received, by donor; none is booked twice.

    No member gives more than its means: `most_w` at most, and what that makes in `GATHERED_S` at once.
    """

    def __init__(self, most_w: float) -> None:
        self._most_w = min(most_w, MAX_POWER_W)
        self._means: dict[str, tuple[float, float]] = {}  # by node: what it may still give, in Wh; when
        self.receipts: dict[str, Receipt] = {}
        self.received_mwh = 0

    def is_new(self, donor: str, donation: Donation) -> bool:
        """Whether it has not been booked yet."""
        last = self.receipts.get(donor)
        return last is None or last.series != donation.series or donation.number > last.number

    def credible_wh(self, donor: str, donation: Donation, now_s: float) -> float:
        """What of it may be true; that counts as given."""
        node = node_of(donor)
        most_wh = self._most_w * GATHERED_S / 3600
        left_wh, since_s = self._means.pop(node, (most_wh, now_s))
        left_wh = min(most_wh, left_wh + self._most_w * (now_s - since_s) / 3600)
        energy_wh = min(donation.energy_wh, left_wh)
        self._means[node] = left_wh - energy_wh, now_s
        if len(self._means) > DONORS_MAX:
            del self._means[next(iter(self._means))]
        return energy_wh

    def book(self, donor: str, donation: Donation, taken_mwh: int) -> None:
        """Book it, with what was taken of it. The donor that was silent longest makes room."""
        self.receipts.pop(donor, None)
        self.receipts[donor] = Receipt(donation.series, donation.number, taken_mwh)
        self.received_mwh += taken_mwh
        if len(self.receipts) > DONORS_MAX:
            del self.receipts[next(iter(self.receipts))]

    def memory(self) -> dict[str, list[int]]:
        """As plain data for the state file."""
        return {donor: receipt.row() for donor, receipt in self.receipts.items()}

    def recall(self, memory: Any) -> None:
        """Restore the result of `memory`. Raises ValueError."""
        if not isinstance(memory, dict) or len(memory) > DONORS_MAX:
            raise ValueError("invalid donors")
        self.receipts = parse_receipts(msgpack.encode(memory))
