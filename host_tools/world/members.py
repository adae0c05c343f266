"""Keys for the nodes of a virtual world: `world.trust = Members(world.clock).trust`.

They follow from names and numbers, so the same seed gives the same run. Nobody else should use such keys.
"""

from hashlib import sha256

from edge.clock import Clock
from edge.trust.certificate import Certificate
from edge.trust.keyring import Keyring
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.revocation import Revocations
from edge.trust.source import Own
from host_tools.fleet.identities import issue_identity, issue_revocations


class Members:
    """An authority, and what it has issued. `clock` gives the time of issuing."""

    def __init__(self, clock: Clock, cluster: str = "world", nodes: int = 32) -> None:
        self._clock = clock
        self._nodes = nodes
        self._key = AuthorityKey(cluster, _seed(f"authority of {cluster}"))
        self._own: dict[str, Own] = {}
        self._starts: dict[str, int] = {}
        self._revoked: bytes = b""

    def trust(self, name: str, clock: Clock) -> Keyring:
        """The trust of a node that starts; it has met nobody."""
        own = self._own.get(name) or self.renew(name)
        self._starts[name] = start = self._starts.get(name, 0) + 1
        secret = _seed(f"pulses of {name}, start {start}")
        return Keyring(name, self._key.authority, own, clock, nodes=self._nodes, secret=secret)

    def renew(self, name: str) -> Own:
        """New keys and a certificate for a node, from its next start on."""
        before = self._own.get(name)
        serial = before.certificate.serial if before else 0
        keys = NodeKeys(_seed(f"signatures of {name} {serial}") + _seed(f"seals of {name} {serial}"))
        after = before.certificate if before else None
        data = issue_identity(self._key, name, keys, after=after, now_s=self._clock.wall_s())
        self._own[name] = Own(keys, Certificate(data))
        return self._own[name]

    def revoke(self, name: str) -> bytes:
        """The newest list of revoked identities, with the present one of that node."""
        before = Revocations(self._revoked) if self._revoked else None
        serials = (before.serials if before else {}) | {name: self._own[name].certificate.serial}
        self._revoked = issue_revocations(self._key, serials, after=before, now_s=self._clock.wall_s())
        return self._revoked


def _seed(text: str) -> bytes:
    return sha256(text.encode()).digest()
