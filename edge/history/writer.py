"""The thread that writes the history: a card can take seconds, and no reaction may wait for it."""

import threading

from .store import Store

_GATHER_S = 2.0  # entries of that time go into one transaction
_AGAIN_S = 60.0  # after a failure


class Writer:
    """Writes the entries of the store soon after they were noted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write the remaining entries and stop."""
        self._stopping.set()
        self._store.news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._store.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._store.news.wait()
            self._stopping.wait(_GATHER_S)
            if not self._stopping.is_set() and not self._store.write():
                self._stopping.wait(_AGAIN_S)
