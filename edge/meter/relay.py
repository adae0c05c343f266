"""One relay on a bus: a coil that is written and read back."""

import logging
from collections.abc import Sequence

from .errors import BusError, WrongState
from .health import Health
from .reading import Reading
from .rtu import RtuMaster
from .settings import RelaySettings

logger = logging.getLogger("edge.meter")

CHECK_PERIOD_S = 60.0  # a relay board loses the state of its coils when it loses power


class SwitchedRelay:
    """Keeps a coil in the requested state. A new request supersedes one that is still pending.

    `wanted` is the requested state (None: no request), `actual` the state last read back (None: unknown). A
    relay without a request is only read.
    """

    def __init__(self, settings: RelaySettings, now_s: float) -> None:
        self.health = Health(settings.name)
        self.wanted: bool | None = None
        self.actual: bool | None = None
        self.superseded = 0
        self._settings = settings
        self._check_due_s = now_s

    @property
    def address(self) -> int:
        return self._settings.address

    @property
    def pending(self) -> bool:
        """Whether a request has not been carried out yet."""
        return self.wanted is not None and self.actual is not self.wanted

    def switch(self, on: bool) -> None:
        """Request a state. May be called from any thread; the bus carries it out."""
        self.superseded += self.pending
        self.wanted = on
        self.actual = None  # so that it is written and read back in any case

    def opened(self) -> None:
        """Nothing was learnt of the slave."""

    def due_s(self) -> float:
        return self.health.retry_s if self.pending else max(self._check_due_s, self.health.retry_s)

    def poll(self, master: RtuMaster, now_s: float) -> Sequence[Reading]:
        wanted, before = self.wanted, self.actual
        obeys = bool(self.health.failures) and self._read(master) is wanted  # though it did not confirm it
        if wanted is not None and before is not wanted and not obeys:
            master.write_coil(self.address, self._settings.coil, wanted)
        self.actual = self._read(master)
        if wanted is not None:
            if self.actual is not wanted:
                raise WrongState(f"is {_name(self.actual)}, should be {_name(wanted)}")
            if before is not wanted:
                logger.info("%s is %s", self.health.device, _name(wanted))
        self._check_due_s = now_s + CHECK_PERIOD_S
        return ()

    def _read(self, master: RtuMaster) -> bool:
        """The state of the coil; while there is a second master, what two answers in a row say."""
        state = master.read_coil(self.address, self._settings.coil)
        if master.distrusted and master.read_coil(self.address, self._settings.coil) is not state:
            raise master.contradicted("two states of one coil")
        return state

    def undefined(self, error: BusError, now_s: float) -> Sequence[Reading]:
        if not isinstance(error, WrongState):
            self.actual = None
        return ()

    def stats(self, now_s: float) -> dict[str, object]:
        """Health, requested and actual state, and whether a request is pending."""
        return self.health.stats(now_s) | {
            "wanted": self.wanted,
            "actual": self.actual,
            "pending": self.pending,
            "superseded": self.superseded,
        }


def _name(on: bool) -> str:
    return "on" if on else "off"
