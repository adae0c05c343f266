"""One relay on a bus: a coil that is told what to be, and read back to see what it is."""

import logging
from collections.abc import Sequence

from .errors import BusError, WrongState
from .health import Health
from .reading import Reading
from .rtu import RtuMaster
from .settings import RelaySettings

logger = logging.getLogger("edge.meter")

CHECK_PERIOD_S = 60.0  # a relay board that lost its supply forgets its coils


class SwitchedRelay:
    """Keeps a coil as it was last asked to be. The latest wish wins; one not yet carried out is superseded.

    `wanted` is the wish, `actual` what was last read back; None is no wish, and unknown. A relay that nobody
    switched is only read.
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
        """Whether a wish waits to be carried out."""
        return self.wanted is not None and self.actual is not self.wanted

    def switch(self, on: bool) -> None:
        """Wish for a state; called from any thread, carried out by the bus."""
        self.superseded += self.pending
        self.wanted = on
        self.actual = None  # so that it is written and read back even if it was so before

    def due_s(self) -> float:
        return self.health.retry_s if self.pending else max(self._check_due_s, self.health.retry_s)

    def poll(self, master: RtuMaster, now_s: float) -> Sequence[Reading]:
        wanted, before = self.wanted, self.actual
        if wanted is not None and before is not wanted:
            master.write_coil(self.address, self._settings.coil, wanted)
        self.actual = master.read_coil(self.address, self._settings.coil)
        if wanted is not None:
            if self.actual is not wanted:
                raise WrongState(f"reads back {_name(self.actual)}, should be {_name(wanted)}")
            if before is not wanted:
                logger.info("%s is %s", self.health.device, _name(wanted))
        self._check_due_s = now_s + CHECK_PERIOD_S
        return ()

    def undefined(self, error: BusError, now_s: float) -> Sequence[Reading]:
        if not isinstance(error, WrongState):
            self.actual = None
        return ()

    def stats(self, now_s: float) -> dict[str, object]:
        """Health, the wish, what was read back, and whether the wish still waits."""
        return self.health.stats(now_s) | {
            "wanted": self.wanted,
            "actual": self.actual,
            "pending": self.pending,
            "superseded": self.superseded,
        }


def _name(on: bool) -> str:
    return "on" if on else "off"
