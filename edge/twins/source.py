"""A table of weather or of powers from a file or an HTTP address, read again every hour.

A thread fetches and reads, so no reaction waits for it. What it got is checked like any file, bounded, and
joined with the rows of the last month that are older; the whole is kept in the state folder, so that a node
that starts without a network has the last one. Redirects are not followed.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..csv_file import CsvError
from ..learn.terms import Array
from ..terms import DAY_MIN
from .learning_settings import is_address

log = logging.getLogger("edge.learning")
_EVERY_S, _AGAIN_S = 3600.0, 600.0
_TIMEOUT_S, _LONGEST_S = 20.0, 60.0  # of one wait for the network, of a whole answer
_MOST_BYTES, _CHUNK = 1 << 20, 1 << 14
_KEPT_DAYS, _MOST_ROWS = 30, 10_000
_SAVE_EVERY_S = 6 * 3600.0  # a card wears out


class Table(Protocol):
    """Rows of values at rising minutes, and what is known at any minute."""

    minutes: NDArray[np.int64]
    values: Array

    def at(self, minutes: NDArray[np.int64]) -> Array: ...


Read: TypeAlias = Callable[[Path], tuple[NDArray[np.int64], Array]]  # minutes, values; raises CsvError


class Source:
    """Can be asked like its table; everything is unknown while there is none."""

    def __init__(
        self,
        place: str,
        cache: Path | None,
        read: Read,
        make: Callable[[NDArray[np.int64], Array], Table],
        columns: tuple[str, ...],
    ) -> None:
        """`cache`: the file to keep what an address gave. The present file or cache is read at once."""
        self.place, self.trouble = place, ""
        self.fetched = self.failures = 0
        self._cache, self._read, self._make, self._columns = cache, read, make, columns
        self._table = make(np.zeros(0, np.int64), np.zeros((0, len(columns)), np.float32))
        self._changed_ns = 0  # of the file
        self._saved_s = -_SAVE_EVERY_S
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        first = cache if self.remote else Path(place)
        if first is not None and (not self.remote or first.exists()):
            self._try(lambda: self._of_file(first))

    @property
    def remote(self) -> bool:
        """Whether it is an HTTP address."""
        return is_address(self.place)

    def at(self, minutes: NDArray[np.int64]) -> Array:
        """Values (n, columns) at minutes (n,), NaN where unknown."""
        return self._table.at(minutes)

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="source", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it is not waited for."""
        self._stopping.set()

    def _run(self) -> None:
        well = True if not self.remote else self.refresh()
        while not self._stopping.wait(_EVERY_S if well else _AGAIN_S):
            well = self.refresh()

    def refresh(self) -> bool:
        """Read the file if it has changed, or fetch from the address; whether that went well."""
        return self._try(self._fetch if self.remote else lambda: self._of_file(Path(self.place)))

    def _try(self, get: Callable[[], None]) -> bool:
        try:
            get()
        except (CsvError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
        except Exception as error:  # of the HTTP library; the thread must go on
            reason = f"{type(error).__name__}: {error}"
        else:
            self.trouble = ""
            return True
        self.failures += 1
        trouble = f"{self.shown}: {reason}" if self.remote else reason
        if trouble != self.trouble:
            log.warning("%s", trouble)
        self.trouble = trouble
        return False

    @property
    def shown(self) -> str:
        """The place without what may be a password or a key."""
        return self.place.partition("?")[0] if self.remote else self.place

    def _of_file(self, path: Path) -> None:
        changed_ns = path.stat().st_mtime_ns
        if changed_ns != self._changed_ns:
            self._table = self._make(*self._read(path))
            self._changed_ns = changed_ns

    def _fetch(self) -> None:
        content = download(self.place)
        partial = self._partial()
        try:
            partial.write_bytes(content)
            minutes, values = self._read(partial)
        except CsvError as error:
            raise CsvError(str(error).replace(str(partial), "its answer")) from None
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
        if not len(minutes):
            raise ValueError("its answer has no rows")
        self._table = self._make(*self._joined(minutes, values))
        self.fetched += 1
        if time.monotonic() >= self._saved_s + _SAVE_EVERY_S:
            self._save()

    def _partial(self) -> Path:
        if self._cache is None:
            raise OSError("there is no folder for it")
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        return self._cache.with_suffix(".partial")

    def _joined(self, minutes: NDArray[np.int64], values: Array) -> tuple[NDArray[np.int64], Array]:
        """With the older rows that are known; the newest rows are kept if they are too many."""
        old = self._table
        kept = (old.minutes < minutes[0]) & (old.minutes >= minutes[0] - _KEPT_DAYS * DAY_MIN)
        all_minutes = np.concatenate((old.minutes[kept], minutes))[-_MOST_ROWS:]
        return all_minutes, np.concatenate((old.values[kept], values))[-_MOST_ROWS:]

    def _save(self) -> None:
        partial = self._partial()
        with partial.open("w", encoding="ascii") as file:
            file.write(",".join(("timestamp", *self._columns)) + "\n")
            for minute, row in zip(self._table.minutes.tolist(), self._table.values.tolist(), strict=True):
                at = datetime.fromtimestamp(60 * minute, UTC)
                texts = ("" if value != value else f"{value:.6g}" for value in row)
                file.write(f"{at:%Y-%m-%dT%H:%MZ},{','.join(texts)}\n")
        assert self._cache is not None
        partial.replace(self._cache)
        self._saved_s = time.monotonic()


def download(address: str) -> bytes:
    """The answer to GET. Raises OSError, ValueError, http.client.HTTPException."""
    from http.client import HTTPConnection, HTTPSConnection  # 1 MB, which only such a node needs
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    until_s = time.monotonic() + _LONGEST_S
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "text/csv", "Connection": "close"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError(f"it answered {answer.status} {answer.reason}")
        content = bytearray()
        while chunk := answer.read1(_CHUNK):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise ValueError(f"its answer has more than {_MOST_BYTES} bytes")
            if time.monotonic() > until_s:
                raise ValueError(f"its answer took more than {_LONGEST_S:g} s")
        return bytes(content)
    finally:
        connection.close()
