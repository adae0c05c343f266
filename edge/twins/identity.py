"""The identity twin: it shows who the node is, and passes on which nodes are no longer to be believed.

One on each node with keys. Its LSA has the certificate of the node, and the newest list of revoked
certificates that the node has seen. So a list that is given to one node reaches all of them within seconds,
and each node shows it to whoever comes back later. Key files that the operator replaces are noticed within
half a minute.
"""

import random

from ..space.agent import Bond
from ..trust.trust import IDENTITY, REVOKED, TWIN
from .twin import Home, Twin

LOOK_EVERY_S = 30.0  # at the key files


class IdentityTwin(Twin):
    """Publishes IDENTITY and REVOKED."""

    kind = "identity"
    wants = (REVOKED,)

    def __init__(self, settings: None, home: Home, rng: random.Random) -> None:
        super().__init__(TWIN, home)
        self._trust = home.trust
        self._published = {IDENTITY: b"", REVOKED: b""}
        self._looked_s = home.clock.now_s()

    def left(self) -> None:
        super().left()
        self._published = dict.fromkeys(self._published, b"")

    def bonded(self, bond: Bond) -> None:
        if not bond.withdrawn:
            self._trust.revoke(bond.value())

    def second_passed(self) -> None:
        if self._clock.now_s() >= self._looked_s + LOOK_EVERY_S:
            self._looked_s = self._clock.now_s()
            if self._trust.look():
                self.stir()

    def act(self) -> None:
        """Publish what has changed."""
        newest = {IDENTITY: self._trust.certificate(), REVOKED: self._trust.revocations()}
        for label, value in newest.items():
            if value != self._published[label]:
                self._published[label] = value
                self.submit(label, value)
