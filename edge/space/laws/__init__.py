"""The coordination laws (thesis 5.1.3). A new law is one file here, handed to the engine.

A law sees each tick, each round of a reaction, and the end of a reaction. What takes longer than a few
milliseconds it does in pieces, as work between reactions.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine


class Law:
    """A transformation of the space. Each hook does nothing unless a law needs it."""

    def tick(self, engine: "Engine") -> None:
        """A second has passed."""

    def react(self, engine: "Engine") -> None:
        """Something changed; runs once a round, until no agent acts any more."""

    def settle(self, engine: "Engine") -> None:
        """The reaction is over."""

    @property
    def has_work(self) -> bool:
        """Whether it has begun something that may wait until nothing else is due."""
        return False

    def work(self, engine: "Engine") -> None:
        """Do a few milliseconds of it."""


def standard_laws() -> "list[Law]":
    """Decay, bonding, aggregation, spreading, in the order they run."""
    from .aggregation import Aggregating
    from .bonding import Bonding
    from .decay import Decay
    from .spreading import Spreading

    return [Decay(), Bonding(), Aggregating(), Spreading()]
