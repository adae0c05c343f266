"""The authority that signs what nodes say of themselves to all others: beside the one for TLS, in its folder.

    trust.key trust.authority    its two keys; whoever has trust.key can speak for any node
    trust.revoked                the revoked identities, signed
    nodes/NAME/                  the current trust.key and trust.identity of each node

Two authorities, as they serve two ends: TLS protects a link, an identity what is passed on over many links.
The rules are those of the other one: keys are replaced only on request, an interrupted run is completed by
the next one, and a lost list of revoked identities stops everything.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.trust import files
from edge.trust.certificate import Certificate
from edge.trust.files import KeyFileError
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.revocation import Revocations

from .errors import FleetError
from .files import folder
from .identities import RENEW_DAYS, issue_identity, issue_revocations

KEY, IDENTITY, AUTHORITY, REVOKED = "trust.key", "trust.identity", "trust.authority", "trust.revoked"
_DAY_S = 86400


@dataclass(frozen=True)
class NodeIdentity:
    """Content of the files of a node. `made`: what was done, or empty; `revoked`: it is invalid."""

    key: bytes
    certificate: bytes
    made: str
    revoked: bool


class TrustAuthority:
    """Issues and revokes identities. `now` is the time of issuing."""

    def __init__(self, place: Path, cluster: str, now: datetime) -> None:
        """Open or create the keys. Raises FleetError, OSError."""
        self._place = place
        self._now_s = int(now.timestamp())
        key_file, file, self._revoked_file = (place / name for name in (KEY, AUTHORITY, REVOKED))
        if file.exists() and not key_file.exists():
            raise FleetError(f"{key_file}: missing; restore it, or start a new cluster in another folder")
        try:
            if not key_file.exists():
                folder(place)
                files.write(key_file, files.AUTHORITY_KEY, AuthorityKey.new(cluster).data)
            self._key = files.read_authority_key(key_file)
            if not file.exists():
                files.write(file, files.AUTHORITY, self._key.authority.data)
            if files.read_authority(file).data != self._key.authority.data:
                raise FleetError(f"{file}: does not match {KEY} in the same folder")
            if self._key.cluster != cluster:
                raise FleetError(
                    f"{file}: belongs to microgrid {self._key.cluster}, not to cluster {cluster}"
                )
            if not self._revoked_file.exists():
                self._begin_list()
            self._revocations = files.read_revocations(self._revoked_file)
        except KeyFileError as error:
            raise FleetError(str(error)) from None
        if not self._key.authority.verifies(self._revocations.signed, self._revocations.signature):
            raise FleetError(f"{self._revoked_file}: is not signed by {KEY} in the same folder")
        self.public = file.read_bytes()

    @property
    def revoked(self) -> bytes:
        """The file with the revoked identities."""
        return self._revoked_file.read_bytes()

    def identity(self, node: str, days: int, *, rotate: bool = False) -> NodeIdentity:
        """The identity of a node, created or completed if necessary. Raises FleetError, OSError."""
        place = self._place / "nodes" / node
        key_file, file = place / KEY, place / IDENTITY
        folder(place)
        try:
            before = files.read_certificate(file) if file.exists() else None
            new_key = rotate or not key_file.exists()
            if new_key:
                files.write(key_file, files.NODE_KEY, NodeKeys.new().data)
            keys = files.read_node_keys(key_file)
            made = ("rotated" if before else "made") if new_key else self._outdated(before, keys)
            if made:
                data = issue_identity(self._key, node, keys, after=before, days=days, now_s=self._now_s)
                files.write(file, files.NODE_IDENTITY, data)
            certificate = files.read_certificate(file)
        except KeyFileError as error:
            raise FleetError(str(error)) from None
        revoked = self._revocations.revokes(node, certificate.serial)
        return NodeIdentity(key_file.read_bytes(), file.read_bytes(), made, revoked)

    def revoke(self, node: str) -> None:
        """Revoke all identities that a node ever had. Raises FleetError, OSError."""
        file = self._place / "nodes" / node / IDENTITY
        if not file.exists():
            return  # it was provisioned by a release without identities
        try:
            serial = files.read_certificate(file).serial
            if self._revocations.revokes(node, serial):
                return
            serials = self._still_needed() | {node: serial}
            data = issue_revocations(self._key, serials, after=self._revocations, now_s=self._now_s)
            files.write(self._revoked_file, files.REVOCATIONS, data)
        except (KeyFileError, ValueError) as error:
            raise FleetError(str(error)) from None
        self._revocations = Revocations(data)

    def _still_needed(self) -> dict[str, int]:
        """The entries of the list without those whose identities have expired by now."""
        needed = {}
        for node, serial in self._revocations.serials.items():
            file = self._place / "nodes" / node / IDENTITY
            certificate = files.read_certificate(file) if file.exists() else None
            if not certificate or certificate.serial != serial or certificate.ends_s > self._now_s:
                needed[node] = serial
        return needed

    def _begin_list(self) -> None:
        if any(self._place.glob(f"nodes/*/{IDENTITY}")):
            reason = "missing; restore it, otherwise revoked nodes would be believed again"
            raise FleetError(f"{self._revoked_file}: {reason}")
        data = issue_revocations(self._key, {}, now_s=self._now_s)
        files.write(self._revoked_file, files.REVOCATIONS, data)

    def _outdated(self, certificate: Certificate | None, keys: NodeKeys) -> str:
        """Why the identity of a node must be replaced; empty if not. A revoked one is kept."""
        if certificate is None or certificate.sign_key != keys.signing.public:
            return "completed"
        if self._revocations.revokes(certificate.node, certificate.serial):
            return ""
        return "renewed" if certificate.ends_s - self._now_s < RENEW_DAYS * _DAY_S else ""
