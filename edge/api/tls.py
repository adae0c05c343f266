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
        """The context for the next connection. Files that cannot be used leave the one before."""
        try:
            stamps = self._look()
            if stamps != self._stamps:
                self._stamps = stamps
                self._context = self._load()
                log.info("the HTTP server uses the new certificate %s", self._files[0])
        except OSError as error:
            log.error("the new certificate %s cannot be used: %s", self._files[0], error)
        return self._context

    def _look(self) -> Stamps:
        found = (os.stat(file) for file in self._files)
        return tuple((each.st_mtime_ns, each.st_ino) for each in found)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        return context
