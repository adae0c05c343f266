"""Day-ahead prices from a file or an HTTP address, read again every hour (thesis 8.2.3).

A thread fetches and reads, so no reaction waits for it. A fetch that fails is repeated after a minute, then
after two, up to an hour. The last prices that were good stay, and are kept in the state folder, so that a
node that starts without a network has them. A file is JSON as public services give it, or CSV with the
columns `timestamp` and `price_per_mwh`, one row an hour or a quarter of an hour.
"""

import contextlib
import logging
import threading
import zlib
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path

from ..csv_file import Column, CsvError, Rules, read
from ..energy.day_prices import MOST_BYTES, MOST_STEPS, DayPrices, PricesRefused, checked, read_json
from ..files import read_bytes, replace_file
from .download import download, is_address

log = logging.getLogger("edge.prices")
_EVERY_S, _AGAIN_S = 3600.0, 60.0
_COLUMN = Column("price_per_mwh", -1e5, 1e5)


def wait_s(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return _EVERY_S if not failures else min(_EVERY_S, _AGAIN_S * 2.0 ** min(failures - 1, 8))


class PriceSource:
    """The prices of one file or address. `prices` is replaced as a whole, so any thread may read it."""

    def __init__(
        self, place: str, folder: Path | None, wall_s: Callable[[], float], zone: tzinfo | None = None
    ) -> None:
        """`folder`: where the last answer of an address is kept. What is there is read at once."""
        self.place = place
        self.prices = DayPrices()
        self.reason = ""  # why the last attempt failed
        self.failures = 0  # in a row
        self.refused = self.fetched = 0
        self._wall_s, self._zone = wall_s, zone
        name = f"prices-{zlib.crc32(place.encode()):08x}.json"
        self._cache = folder / "sources" / name if folder else None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        if not self.remote:
            self.refresh()
        elif self._cache is not None:
            with contextlib.suppress(OSError, PricesRefused):  # older than a month, damaged, or not there
                self.prices = read_json(read_bytes(self._cache, MOST_BYTES), wall_s())

    @property
    def remote(self) -> bool:
        """Whether it is an HTTP address."""
        return is_address(self.place)

    @property
    def shown(self) -> str:
        """The place without what may be a password or a key."""
        return self.place.partition("?")[0] if self.remote else self.place

    @property
    def trouble(self) -> str:
        """What is wrong with it; empty while the price of now is known."""
        if self.prices.at(self._wall_s()) is not None:
            return ""
        return f"{self.shown}: {self.reason or 'there is no price for now'}"

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="prices", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it is not waited for."""
        self._stopping.set()

    def _run(self) -> None:
        if self.remote:
            self.refresh()
        while not self._stopping.wait(wait_s(self.failures)):
            self.refresh()

    def refresh(self) -> bool:
        """Read the file or fetch from the address; whether that went well. What was good before stays."""
        try:
            self.prices = self._of_address() if self.remote else self._of_file(Path(self.place))
        except (CsvError, PricesRefused) as error:
            self.refused += 1
            self._failed(str(error))
        except Exception as error:  # of the network or the HTTP library; the thread must go on
            self._failed(str(error) or type(error).__name__)
        else:
            self.failures, self.reason = 0, ""
            return True
        return False

    def _failed(self, reason: str) -> None:
        self.failures += 1
        if reason != self.reason:
            log.warning("%s: %s", self.shown, reason)
        self.reason = reason

    def _of_address(self) -> DayPrices:
        content = download(self.place, "application/json")
        prices = read_json(content, self._wall_s())
        self.fetched += 1
        if self._cache is not None and prices != self.prices:
            with contextlib.suppress(OSError):  # a full card; the prices are known all the same
                self._cache.parent.mkdir(parents=True, exist_ok=True)
                replace_file(self._cache, content, synced=False)
        return prices

    def _of_file(self, path: Path) -> DayPrices:
        if path.suffix == ".json":
            return read_json(read_bytes(path, MOST_BYTES), self._wall_s())
        rules = Rules(columns=(_COLUMN,), zone=self._zone, most_rows=MOST_STEPS, most_bytes=MOST_BYTES)
        rows = [
            (row.time_s, None, None if row.values[0] != row.values[0] else row.values[0])
            for row in read(path, rules)
        ]
        return checked(rows, self._wall_s())
