"""The certificate of the node for its HTTP server: new files hold for new connections, without a restart."""

import logging
import os
import ssl

log = logging.getLogger("edge.api")
Stamps = tuple[tuple[int, int], ...]


class Certificate:
    """A context for servers, loaded again when its files have changed."""

    def __init__(self, certificate: str, key: str) -> None:
        """Raises OSError for files that cannot be used."""
        self._files = certificate, key
        self._stamps = self._look()
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """The context for the next connection. Files that cannot be used leave the one before, and are named
        once: whoever connects must not fill the log."""
        stamps = self._look()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._context = self._load()
                log.info("the HTTP server uses the new certificate %s", self._files[0])
            except OSError as error:
                log.error("the new certificate %s cannot be used: %s", self._files[0], error)
        return self._context

    def _look(self) -> Stamps:
        """What changes when a file is replaced; a missing one has none."""
        found = []
        for file in self._files:
            try:
                stat = os.stat(file)
                found.append((stat.st_mtime_ns, stat.st_ino))
            except OSError:
                found.append((0, 0))
        return tuple(found)

    def _load(self) -> ssl.SSLContext:
        for file in self._files:
            os.stat(file)  # ssl does not say which file is missing
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        return context
