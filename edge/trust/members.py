"""The members of a microgrid that a node knows: certificates, judged by signature, date and revocation."""

import logging

from .certificate import BadCertificate, Certificate
from .keys import Authority
from .revocation import Revocations
from .trust import EXPIRED, FOREIGN, FORGED, NOT_YET_VALID, OUTDATED, REVOKED_NODE, UNKNOWN, Untrusted

log = logging.getLogger("edge.trust")


class Member:
    """A node whose certificate has been verified."""

    __slots__ = ("before", "certificate", "used")

    def __init__(self, certificate: Certificate, before: Certificate | None = None) -> None:
        self.certificate = certificate
        self.before = before  # an older one, while it counts: what its keys have signed is still around
        self.used = 0

    @property
    def certificates(self) -> list[Certificate]:
        """Those that count, the newest first."""
        return [self.certificate, self.before] if self.before else [self.certificate]

    def certificates_of(self, incarnation: int) -> list[Certificate]:
        """Those that count for a life of the node: none that was replaced before it began."""
        late = incarnation >= self.certificate.first_incarnation
        return [self.certificate] if late else self.certificates


class Members:
    """At most `most` of them, with this node; whoever was not needed for longest leaves.

    Dates are Unix seconds; None stands for a date that is not known, by which nothing is judged.
    """

    def __init__(self, authority: Authority, own: Certificate, most: int) -> None:
        self.authority = authority
        self.revocations: Revocations | None = None
        self.parted: list[str] = []  # nodes that were members until lately
        self.own_fault = ""  # why others do not believe this node
        self._node = own.node
        self._most = most
        self._members = {own.node: Member(own)}
        self._uses = 0

    @property
    def names(self) -> list[str]:
        """All that are known, this node included."""
        return sorted(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def get(self, name: str) -> Member:
        """Raises Untrusted."""
        member = self._members.get(name)
        if member is None:
            raise Untrusted(name, UNKNOWN)
        self._uses += 1
        member.used = self._uses
        return member

    def introduce(self, origin: str, data: bytes, date_s: float | None) -> bool:
        """Learn a certificate, cheap checks first; True if it is news. Raises Untrusted."""
        known = self._members.get(origin)
        if known and known.certificate.data == data:
            return False
        try:
            found = Certificate(data)
        except BadCertificate:
            raise Untrusted(origin, FORGED) from None
        if found.node != origin:
            raise Untrusted(origin, FORGED)
        if fault := self._fault(found, date_s):
            raise Untrusted(origin, fault)
        if known and (origin == self._node or found.serial <= known.certificate.serial):
            raise Untrusted(origin, OUTDATED)
        if not self.authority.verifies(found.signed, found.signature):
            raise Untrusted(origin, FORGED)
        self._admit(found)
        return True

    def renew(self, own: Certificate) -> None:
        """This node has a new certificate."""
        member = self._members[self._node]
        member.certificate, member.before = own, member.certificate

    def revoke(self, found: Revocations, date_s: float | None) -> bool:
        """Take over a list of revoked ones; True if it is newer than the one before."""
        newest = self.revocations
        if (newest and found.number <= newest.number) or found.cluster != self.authority.cluster:
            return False
        if not self.authority.verifies(found.signed, found.signature):
            return False
        self.revocations = found
        if found.serials:
            log.info("revoked identities, list %d: %s", found.number, ", ".join(found.serials))
        self.judge(date_s)
        return True

    def judge(self, date_s: float | None) -> None:
        """Judge all again; those that no longer count leave."""
        for name, member in list(self._members.items()):
            if member.before and self._fault(member.before, date_s):
                member.before = None
            fault = self._fault(member.certificate, date_s)
            if name == self._node:
                self._note_own(fault)
            elif fault:
                log.warning("%s", Untrusted(name, fault))
                del self._members[name]
                self.parted.append(name)

    def _note_own(self, fault: str) -> None:
        if fault and fault != self.own_fault:
            log.error("this node is not believed by others: %s", Untrusted(self._node, fault))
        self.own_fault = fault

    def _admit(self, certificate: Certificate) -> None:
        known = self._members.get(certificate.node)
        if known is None and len(self._members) >= self._most:
            others = (name for name in self._members if name != self._node)
            del self._members[min(others, key=lambda name: self._members[name].used)]
        self._members[certificate.node] = Member(certificate, known.certificate if known else None)
        self.get(certificate.node)

    def _fault(self, certificate: Certificate, date_s: float | None) -> str:
        """Why it does not count at that date, its signature apart; empty if it does."""
        if certificate.cluster != self.authority.cluster:
            return FOREIGN
        if self.revocations and self.revocations.revokes(certificate.node, certificate.serial):
            return REVOKED_NODE
        if date_s is not None and date_s < certificate.begins_s:
            return NOT_YET_VALID
        if date_s is not None and date_s >= certificate.ends_s:
            return EXPIRED
        return ""
