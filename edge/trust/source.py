"""The key files of a node: read at its start, and again when they have changed."""

import logging
from pathlib import Path
from typing import NamedTuple

from .certificate import Certificate
from .files import (
    REVOCATIONS,
    KeyFileError,
    read_authority,
    read_certificate,
    read_node_keys,
    read_revocations,
    write,
)
from .keys import Authority, NodeKeys
from .revocation import Revocations
from .settings import TrustSettings

log = logging.getLogger("edge.trust")


class Own(NamedTuple):
    """What a node is by its files."""

    keys: NodeKeys
    certificate: Certificate


class Source:
    """The files of `[trust]`, and the newest list of revoked identities in the state folder."""

    def __init__(self, node: str, settings: TrustSettings, state_dir: Path) -> None:
        """Raises KeyFileError."""
        self._node = node
        self._settings = settings
        self._kept = state_dir / "revocations"
        self._stamps = self._now()
        self._kept_data = b""
        self.list_trouble = ""  # why the list of the operator is not used
        self.kept_trouble = ""  # why that of the state folder is not used
        self.authority: Authority = read_authority(settings.authority)

    def own(self) -> Own:
        """Raises KeyFileError unless key, identity and authority belong together and to this node.

        The authority itself is not exchanged in a running microgrid: another one is refused, too.
        """
        if read_authority(self._settings.authority).data != self.authority.data:
            raise KeyFileError(f"{self._settings.authority}: is another authority than at the start")
        keys, certificate = read_node_keys(self._settings.key), read_certificate(self._settings.certificate)
        file = self._settings.certificate
        if certificate.node != self._node:
            raise KeyFileError(f"{file}: is the identity of node {certificate.node}, not {self._node}")
        if not self.authority.verifies(certificate.signed, certificate.signature):
            raise KeyFileError(f"{file}: is not signed by the authority in {self._settings.authority}")
        if certificate.cluster != self.authority.cluster:
            raise KeyFileError(f"{file}: belongs to microgrid {certificate.cluster}")
        if (certificate.sign_key, certificate.seal_key) != (keys.signing.public, keys.seal_key):
            raise KeyFileError(f"{file}: does not belong to the key in {self._settings.key}")
        return Own(keys, certificate)

    def revocations(self) -> list[Revocations]:
        """The lists of the operator and of the state folder. One that cannot be used is left out; why that of
        the operator is not used stays in `list_trouble`."""
        given, fault = self._read(self._settings.revocations)
        if given and not fault:
            if given.cluster != self.authority.cluster:
                fault = f"{self._settings.revocations}: belongs to microgrid {given.cluster}"
            elif not self.authority.verifies(given.signed, given.signature):
                fault = f"{self._settings.revocations}: is not signed by the authority of this node"
        if fault and fault != self.list_trouble:
            log.warning("%s; the list before stays in force", fault)
        self.list_trouble = fault
        kept, self.kept_trouble = self._read(self._kept)
        if self.kept_trouble:
            log.warning("%s; the list is not used", self.kept_trouble)
        self._kept_data = kept.data if kept else b""
        return [each for each in (None if fault else given, kept) if each]

    @staticmethod
    def _read(path: Path) -> tuple[Revocations | None, str]:
        """A list, or why it cannot be read; neither without a file."""
        if not path.exists():
            return None, ""
        try:
            return read_revocations(path), ""
        except KeyFileError as error:
            return None, str(error)

    def keep(self, revocations: Revocations) -> None:
        """Remember across a restart the list that is in force, whoever gave it."""
        if revocations.data == self._kept_data:
            return
        try:
            write(self._kept, REVOCATIONS, revocations.data)
            self._kept_data, self.kept_trouble = revocations.data, ""
        except KeyFileError as error:
            log.warning("%s; a restart would forget the list of revoked identities", error)
            self.kept_trouble = str(error)

    @property
    def changed(self) -> bool:
        """Whether a file has changed since the last call."""
        before, self._stamps = self._stamps, self._now()
        return before != self._stamps

    def _now(self) -> list[tuple[int, int, int]]:
        stamps = []
        files = self._settings
        for path in (files.key, files.certificate, files.authority, files.revocations):
            try:
                found = path.stat()
                stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
            except OSError:
                stamps.append((0, 0, 0))
        return stamps
