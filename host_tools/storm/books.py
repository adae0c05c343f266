"""Invariant I6 through the common storage: donors and the storage book the same energy.

A donor counts a donation as given only with the receipt of the storage, and the storage books none twice. A
restart of a node ends its counters; what its storage has booked until then is in its state or lost with it.
What a liar gives, and says that it gave, does not count, so with one only the first rule is checked.
"""

from edge.energy.book import node_of
from edge.twins.donor import DonorTwin
from edge.twins.storage import StorageTwin

from ..world import World

_TOLERANCE_MWH = 1


class Books:
    """Compares the counters of all donors with those of the storage, over its present life."""

    def __init__(self, world: World, liar: str = "") -> None:
        self._world = world
        self._liar = liar
        self._storage: StorageTwin | None = None
        self._given: dict[DonorTwin, int] = {}  # by donor and life: in mWh, since the storage began
        self._offered: dict[DonorTwin, int] = {}
        self._base: dict[DonorTwin, tuple[int, int]] = {}  # given and offered that do not count

    def broken(self) -> list[str]:
        """One line for each rule that is broken now."""
        storage, donors = self._look()
        if storage is not self._storage:
            self._begin(storage, donors)
        if storage is None:
            return []
        for donor in donors:
            given_mwh, offered_mwh = self._base.get(donor, (0, 0))
            self._given[donor] = donor.donor.given_mwh - given_mwh
            self._offered[donor] = donor.donor.offered_mwh - offered_mwh
        given_mwh, received_mwh = sum(self._given.values()), storage.donations.received_mwh
        offered_mwh = sum(self._offered.values())
        if given_mwh > received_mwh + _TOLERANCE_MWH:
            return [f"I6 donors gave {given_mwh} mWh, {storage.name} received {received_mwh} mWh"]
        if received_mwh > offered_mwh + _TOLERANCE_MWH and not self._liar:
            return [f"I6 {storage.name} received {received_mwh} mWh, donors offered {offered_mwh} mWh"]
        return []

    def _look(self) -> tuple[StorageTwin | None, list[DonorTwin]]:
        storage, donors = None, []
        for node in self._world.nodes.values():
            for twin in node.node.prosumers if node.alive else ():
                if isinstance(twin, StorageTwin):
                    storage = twin
                elif isinstance(twin, DonorTwin) and node_of(twin.name) != self._liar:
                    donors.append(twin)
        return storage, donors

    def _begin(self, storage: StorageTwin | None, donors: list[DonorTwin]) -> None:
        """A storage has started: what is pending may have been booked before, or be booked again."""
        self._storage = storage
        self._given, self._offered, self._base = {}, {}, {}
        for donor in donors:
            pending = donor.donor.pending
            pending_mwh = pending.energy_mwh if pending else 0
            self._base[donor] = (
                donor.donor.given_mwh + pending_mwh,
                donor.donor.offered_mwh - pending_mwh,
            )
