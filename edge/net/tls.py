"""The files of `[tls]` as links use them: read at the start, and again when they have changed.

What cannot be used changes nothing while the node runs: the files before stay in force. At the start a node
refuses them, and does not connect without a list of revoked certificates that it should have: it would send
to nodes that are revoked. The last list that was valid is kept in the state folder and takes the place of one
that a power cut has damaged.
"""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

from ..files import TEXT_BYTES, open_file, read_bytes, replace_file
from .certificates import Certificate, certificates
from .settings import TlsSettings

REFRESH_S = 30.0  # between two looks
KEPT_LIST = "crl.pem"  # in the state folder: the last valid list of revoked certificates

log = logging.getLogger("edge.net")


class TlsFiles:
    """The files of one section `[tls]`, for all links."""

    def __init__(self, settings: TlsSettings, kept: Path | None = None) -> None:
        """`kept`: where the last valid list of revoked certificates stays. Raises OSError."""
        self._settings = settings
        self._kept = kept
        self._stamps = self._now()
        self._looked_s = 0.0
        self.fault = ""  # why changed files are not used
        self.list_fault = ""  # why the list of revoked certificates is not used
        self.context = self._load()
        self.certificates: tuple[Certificate, ...] = certificates(settings)

    def look(self, now_s: float) -> None:
        """Take over files that have changed; to be called often, looks every 30 s."""
        if now_s < self._looked_s + REFRESH_S:
            return
        self._looked_s = now_s
        if (found := self._now()) == self._stamps:
            return
        try:
            self.context = self._load()
        except OSError as error:  # a key and its certificate are two files: tried again
            fault = f"{error.filename}: {error.strerror}"
            if fault != self.fault:
                log.warning("new TLS files cannot be used, the ones before stay in use: %s", fault)
            self.fault = fault
            return
        self._stamps, self.fault = found, ""
        self.certificates = certificates(self._settings)
        log.info("new TLS files")

    def _load(self) -> ssl.SSLContext:
        """Raises OSError, which names the file."""
        files = self._settings
        for file in filter(None, (files.ca, files.certificate, files.key)):
            open_file(file).close()  # ssl does not say which file it could not read, and waits for a FIFO
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # only our own authority; the system's cost 1.2 MB
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with _naming(files.ca):
            context.load_verify_locations(files.ca)
        if files.certificate:  # a broker that knows its clients by a password wants none
            with _naming(f"{files.certificate} with {files.key}"):
                context.load_cert_chain(files.certificate, files.key, password="")  # or it asks the terminal
        if files.crl:
            self._load_list(context)
        return context

    def _load_list(self, context: ssl.SSLContext) -> None:
        """Raises OSError without any valid list."""
        file, kept, fault = self._settings.crl, self._kept, ""
        try:
            _add_list(context, file)
        except OSError as error:
            fault = f"{file}: {error.strerror}"
            if kept is None:
                raise
            try:
                _add_list(context, str(kept))
            except OSError:
                raise OSError(error.errno, f"{error.strerror}, and no earlier list is kept", file) from None
            if fault != self.list_fault:
                log.warning("%s; the list before stays in force", fault)
        else:
            self._keep()
        self.list_fault = fault

    def _keep(self) -> None:
        """Remember the list that is in force."""
        if self._kept is None:
            return
        try:
            data = read_bytes(self._settings.crl, TEXT_BYTES)
            with suppress(OSError):
                if read_bytes(self._kept, TEXT_BYTES) == data:
                    return
            replace_file(self._kept, data)
        except OSError as error:
            log.warning("%s: the list of revoked certificates is not kept: %s", self._kept, error.strerror)

    def _now(self) -> list[tuple[int, int]]:
        """What changes when a file is replaced; a missing file has none."""
        found = []
        for file in filter(None, astuple(self._settings)):
            with suppress(OSError):
                stat = Path(file).stat()
                found.append((stat.st_mtime_ns, stat.st_ino))
        return found


def _add_list(context: ssl.SSLContext, file: str) -> None:
    """Raises OSError."""
    open_file(file).close()
    with suppress(ssl.SSLError):  # nothing in it is loaded then
        context.load_verify_locations(file)
    if not context.cert_store_stats()["crl"]:
        raise OSError(0, "is empty or damaged", file)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


@contextmanager
def _naming(file: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise OSError(0, f"cannot be used: {error.reason or error.strerror}", file) from None
