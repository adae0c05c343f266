"""A small microgrid of keyrings for the tests of the trust room, with a clock that is set by hand."""

from edge.trust.certificate import Certificate
from edge.trust.keyring import Keyring
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.source import Own
from host_tools.fleet.identities import issue_identity, issue_revocations

NOW_S = 1_700_000_000.0
DAY_S = 86400.0


class HandClock:
    def __init__(self, wall_s=NOW_S):
        self.time_s = wall_s

    def now_s(self):
        return self.time_s

    def wall_s(self):
        return self.time_s


class Cluster:
    """An authority and what it has issued."""

    def __init__(self, name="village", seed=1):
        self.key = AuthorityKey(name, bytes([seed]) * 32)
        self.clock = HandClock()

    def own(self, node, seed=None, **options):
        seed = sum(node.encode()) % 200 if seed is None else seed
        keys = NodeKeys(bytes([seed + 1]) * 32 + bytes([seed + 2]) * 32)
        options.setdefault("now_s", self.clock.wall_s())
        return Own(keys, Certificate(issue_identity(self.key, node, keys, **options)))

    def keyring(self, node, own=None, **options):
        own = own or self.own(node)
        options.setdefault("secret", node.encode())
        return Keyring(node, self.key.authority, own, options.pop("clock", self.clock), **options)

    def keyrings(self, *nodes):
        """Keyrings that all know each other."""
        found = [self.keyring(node) for node in nodes]
        for one in found:
            for other in found:
                one.introduce(other.node, other.certificate())
        return found

    def revocations(self, serials, **options):
        options.setdefault("now_s", self.clock.wall_s())
        return issue_revocations(self.key, serials, **options)
