"""The twin of a producer that gives what nobody uses to the common storage (thesis 7.5.3.1).

External supply does not donate, and neither does a device with a battery of its own.
"""

import random

import orjson

from ..energy.donations import Donor, parse_receipts
from ..energy.parsing import lenient, read_object
from ..energy.rules import DONATED, DONATION, STORAGE
from ..space.agent import Bond
from .addressing import towards
from .envelope import Later, public
from .posting import Properties
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .twin import Home

_STORAGES_MAX = 8
_receipts = lenient(parse_receipts)


def encode_storage(has_room: bool) -> bytes:
    """What all may know of a common storage."""
    return orjson.dumps({"room": has_room})


def parse_storage(data: bytes) -> bool:
    """Whether a common storage has room. Raises ValueError, KeyError."""
    room = read_object(data)["room"]
    if not isinstance(room, bool):
        raise ValueError("invalid storage")
    return room


_read_storage = public(parse_storage)


class DonorTwin(ProsumerTwin):
    """A producer that donates, to the storage of its settings, otherwise to the first by name."""

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings, home, rng)
        self.wants = (*self.wants, STORAGE, DONATED)
        self.donor = Donor(rng.getrandbits(40), settings.donates)
        self._storages: dict[str, bool] = {}  # whether it has room
        self._given_to = ""

    @property
    def storage(self) -> str:
        """The twin that its donations go to; empty without one."""
        named = self.settings.donates_to
        if named:
            return named if named in self._storages else ""
        return min(self._storages, default="")

    def adjust(self, settings: TwinSettings) -> None:
        self.donor.share = settings.donates
        super().adjust(settings)

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label == STORAGE:
            room = self._message(bond, _read_storage)
            if room is None:
                self._storages.pop(bond.name, None)
            elif bond.name in (*self._storages, self.settings.donates_to) or (
                len(self._storages) < _STORAGES_MAX
            ):
                self._storages[bond.name] = room
            return None
        if bond.label == DONATED:
            return bond.name == self.storage and self._see_receipts(bond)
        return super().bonded(bond)

    def _see_receipts(self, bond: Bond) -> bool:
        part: bytes | Later | None = self._message(bond, self.home.reader.part)
        if not part or isinstance(part, Later):
            return False
        receipt = (_receipts(part) or {}).get(self.short_name)
        return receipt is not None and self.donor.see(receipt)

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self._storages.pop(name, None)
        super().decayed(name, life_s)

    def second_passed(self) -> None:
        super().second_passed()
        pending = self.donor.pending
        self._count()
        if self.donor.pending is not pending:
            self.stir()

    def act(self) -> None:
        self._count()
        super().act()

    def _count(self) -> None:
        storage = self.storage
        if storage and storage != self._given_to:  # what the other one may have booked is not given again
            self.donor.pending, self._given_to = None, storage
        wanted = bool(storage) and self._storages[storage] and not self.unknown
        unused_w = max(0.0, self.supplier.capacity_w - self.supplier.supplied_w)
        self.donor.step(unused_w, wanted, self._clock.now_s())

    def _wanted(self) -> Properties:
        wanted = super()._wanted()
        pending, storage = self.donor.pending, self.storage
        if pending and storage:
            value = self._writer.whole(DONATION, storage, pending.encode())
            if value is not None:
                wanted[DONATION, storage] = towards(value, self.home.request_hops, [storage])
        return wanted
