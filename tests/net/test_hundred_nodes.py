"""The default sizes hold what a hundred nodes show, with room for the twins of the node itself."""

import random

from msgspec.structs import replace

from edge.config.settings import LimitSettings
from edge.energy.rules import LABELS
from edge.net import manifest, tree
from edge.net.frame import Frame, encode
from edge.net.gateway import Gateway
from edge.net.pulse import Pulse
from edge.net.schema import Statement
from edge.net.settings import Rates
from edge.space.lsa import Lsa, Property
from edge.space.origins import checksum
from edge.space.tuplespace import TupleSpace
from edge.trust.trust import IDENTITY
from host_tools.world import Members

NODES, TWINS = 100, 5
LIMITS = LimitSettings()


class HandClock:
    def wall_s(self):
        return 1_700_000_000.0

    now_s = wall_s


class Nowhere:
    neighbours = ("n0",)

    def send(self, peer, frame):
        return True


def shown_by(trust, name, i, rng):
    """A frame with what a building of five devices shows that are all under contract."""
    path = ["n0"] if name == "n0" else ["n0", name]
    shown = {
        "identity": [(IDENTITY, "", trust.certificate())],
        "learning": [("TOTAL", "", rng.randbytes(34))],
    }
    for k in range(TWINS):
        confirm = ("CONTRACT_CONFIRM", "", rng.randbytes(100))
        offer = ("OFFER", f"n{(i + 1) % NODES}.c1", rng.randbytes(29))
        shown[f"twin{k}"] = [("CONTRACT1", "", rng.randbytes(150))] if k % 2 else [confirm, offer]
    lsas = [
        Lsa(
            f"{name}.{twin}",
            "prosumer",
            b"",
            name,
            1,
            v,
            13,
            path,
            [],
            [Property(a, b, v, 0, c) for a, b, c in each],
        )
        for v, (twin, each) in enumerate(shown.items(), 1)
    ]
    nodes = tree.grown(len(lsas), {at: tree.leaf(manifest.of(each)) for at, each in enumerate(lsas)})
    signature = trust.sign(tree.message(len(lsas), nodes))
    for at, each in enumerate(lsas):
        each.auth = tree.proof(signature, len(lsas), at, nodes)
    total = checksum([(each.name, each.version) for each in lsas])
    said = Statement(name, 1, len(lsas), len(lsas), total, 0, 1, trust.link(1), b"")
    said = replace(said, signature=trust.sign(manifest.of_statement(said)))
    pulse = Pulse(name, 0, 0, len(path) - 1, 13, trust.link(1))
    return encode(Frame(lsas=lsas, statements=[said], pulses=[pulse]))


def test_the_default_sizes_hold_a_hundred_nodes():
    rng = random.Random(1)
    members = Members(HandClock(), nodes=LIMITS.nodes)
    space = TupleSpace("me", LIMITS.space(), 1)
    space.know_labels((*LABELS, "TOTAL", IDENTITY))
    rates = Rates(frames_per_s=1000, frames_kb_per_s=1000, work_percent=100)
    gateway = Gateway(space, Nowhere(), members.trust("me", HandClock()), rates)
    for i in range(NODES):
        name = f"n{i}"
        gateway.receive("n0", shown_by(members.trust(name, HandClock()), name, i, rng))
    stats = gateway.stats()
    assert (stats["refused"], stats["no_room"]) == (0, 0)
    assert len(space.distances()) == NODES + 1
    assert stats["absorbed"] == NODES * (TWINS + 2)
    assert space.limits.lsas - space.lsas_free == NODES * (TWINS + 2)
