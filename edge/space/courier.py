"""What a space tells its direct neighbours, and the courier that carries it (thesis 5.1.3.2).

The kernel knows no wires: it hands everything to a courier and is told by its driver what has arrived
(`exchange.absorb` for LSAs, `digest.Digest` for the rest). The courier of a node is the outbox of its
gateway; a microcontroller brings one of its own.
"""

from .shim import const

# No setting: the format of the wire. A node with more LSAs of its own would not be repaired by its roster.
MAX_LSAS = const(1024)  # named in one roster, or in one request


class Beat:
    """A heartbeat: its origin lives, and announces how many LSAs it has and their checksum.

    `sequence` is the number of its newest change, `number` counts the beats, `hops` is the distance in links.
    The beat is valid for `life_s`; a node that passes it on later states less. `proof` is a matter of those
    who carry it.
    """

    __slots__ = (
        "checksum",
        "hops",
        "incarnation",
        "life_s",
        "lsas",
        "number",
        "origin",
        "proof",
        "sequence",
    )

    def __init__(
        self,
        origin: str,
        incarnation: int,
        sequence: int,
        number: int,
        hops: int,
        life_s: int,
        lsas: int,
        checksum: bytes,
        proof: bytes = b"",
    ) -> None:
        self.origin = origin
        self.incarnation = incarnation
        self.sequence = sequence
        self.number = number
        self.hops = hops
        self.life_s = life_s
        self.lsas = lsas
        self.checksum = checksum
        self.proof = proof


class Roster:
    """All LSAs of one origin that the sender holds: (name, version)."""

    __slots__ = ("entries", "incarnation", "origin", "sequence")

    def __init__(
        self, origin: str, incarnation: int, sequence: int, entries: "list[tuple[str, int]]"
    ) -> None:
        self.origin = origin
        self.incarnation = incarnation
        self.sequence = sequence
        self.entries = entries


class Courier:
    """Carries messages to direct neighbours. This one carries none; subclasses override every method.

    It may gather what one reaction produces and send it at once. A lost message does no harm: the
    digest finds what is missing.
    """

    def send_lsa(self, slot: int, nodes: int, base: int = 0) -> None:
        """Send the LSA in `slot` to the neighbours in the node set `nodes`; they should hold version `base`.

        A slot and not a record, so that nothing is copied unless it is sent; read it before returning.
        """

    def send_near(self, p: int, nodes: int, to: "tuple[str, ...]" = ()) -> None:
        """Send the near property `p` to the neighbours in the node set `nodes`.

        `to`: those of the nodes towards which it goes that are reached through them.
        """

    def send_beat(self, peer: str, beat: Beat) -> None:
        """Send a heartbeat; a newer one of the same origin may replace it."""

    def ask_roster(self, peer: str, origin: str) -> None:
        """Ask which LSAs of an origin the peer holds."""

    def send_roster(self, peer: str, roster: Roster) -> None:
        """Answer that question."""

    def ask_lsas(self, peer: str, names: "list[str]") -> None:
        """Ask for LSAs by name."""
