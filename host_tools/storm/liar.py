"""A malicious node: it has no power, promises everything, and floods its neighbours.

It creates frames by itself, forwards nothing, and is not included in the invariants. It does not impersonate
other nodes: preventing that is the task of signatures.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zlib import crc32

import orjson

from edge.energy.messages import Answer, Answers, Contract, Offer, Part, Priority, Request
from edge.energy.parsing import lenient, parse_parts, parse_request, parse_stub
from edge.energy.rules import COMPLEMENT, CONFIRM, CONTRACT, OFFER, REQUEST
from edge.net.frame import MAX_BODY_BYTES, Frame, FrameError, Pulse, decode, encode
from edge.net.links import Links
from edge.net.manifest import of_statement
from edge.net.wire import Statement
from edge.space.courier import Roster
from edge.space.lsa import Delta, Lsa, Property
from edge.space.origins import CHECKSUM_BYTES, LIFE_S, MAX_SEQUENCE
from edge.trust.trust import Trust
from edge.twins.envelope import Writer, context, split

from ..world.world import World

_FLOOD = 50  # LSAs, origins or names per second
_THINK_S = 0.5  # delay of its answers, which limits the load on the others
_HUGE_W = 9e6
Shown = dict[tuple[str, str], bytes]  # (label, addressee): value
_read_request = lenient(parse_request)


class Liar:
    """One lying node; its tricks are switched on by name, for a limited time."""

    def __init__(self, world: World, name: str, neighbours: tuple[str, ...], rng: random.Random) -> None:
        self.name = name
        self._world = world
        self._links: Links = world.network.links(name, neighbours)
        self._rng = rng
        self._until_s: dict[str, float] = {}
        self._requests: dict[str, Request] = {}  # of others, by consumer
        self._contracts: dict[str, Contract] = {}
        self._heard: list[bytes] = []
        self._trust = Trust()  # nothing is sealed, so it reads what is meant for others
        self._nodes = {name}  # as far as it has heard of them
        self._writer = Writer(f"{name}.s", self._trust, world.clock)
        self._version = 0
        self._present = self._thinking = False

    def lie(self, trick: str, seconds: float) -> None:
        """Start a trick for a while; with the first one the node connects."""
        self._until_s[trick] = self._world.clock.now_s() + seconds
        if not self._present:
            self._present = True
            self._links.start(self._listen, lambda peer, up: None)
            self._beat()

    def vanish(self) -> None:
        """Disconnect."""
        if self._present:
            self._present = False
            self._links.stop()

    # ---- receiving -------------------------------------------------------------------------

    def _listen(self, peer: str, data: bytes) -> None:
        self._heard = [*self._heard[-200:], data]
        try:
            frame = decode(data)
        except FrameError:
            return
        for lsa in frame.lsas:
            self._requests.pop(lsa.name, None)
            self._contracts.pop(lsa.name, None)
        changed: list[Lsa | Delta] = [*frame.lsas, *frame.deltas]
        for each in changed:
            self._nodes.add(each.name.partition(".")[0])
            for shown in each.properties:
                request = _read_request(shown.value) if shown.label == REQUEST else None
                contract = self._contract_of(each, shown) if shown.label in (CONTRACT, COMPLEMENT) else None
                if request:
                    self._requests[each.name] = request
                if contract:
                    self._contracts[each.name] = contract
        if (frame.lsas or frame.deltas) and not self._thinking:
            self._thinking = True
            self._world.after(_THINK_S, self._speak)

    def _contract_of(self, lsa: Lsa | Delta, shown: Property) -> Contract | None:
        """With the shares of all suppliers on nodes that it knows."""
        tags = {self._trust.tag(node, context(shown.label, lsa.name, node)): node for node in self._nodes}
        shares = []
        try:
            stub, sealed = split(shown.value)
            for tag, text in sealed:
                shares += [
                    replace(part, supplier=f"{tags[tag]}.{part.supplier}") for part in parse_parts(text)
                ]
            return replace(parse_stub(stub), parts=tuple(shares))
        except (ValueError, KeyError, TypeError):
            return None

    # ---- sending -----------------------------------------------------------------------------

    def _beat(self) -> None:
        if self._present:
            self._version += 1
            self._send(self._beats([self.name], 0, 1))
            self._speak()
            for trick in (self._garbage, self._flood, self._echo):
                if self._plays(trick.__name__.strip("_")):
                    trick()
            self._world.after(1.0, self._beat)

    def _speak(self) -> None:
        """Publish the properties of all active tricks in one LSA, as an honest twin would."""
        self._thinking = False
        shown: Shown = {}
        for name, trick in TWIN_TRICKS.items():
            if self._plays(name):
                shown |= trick(self)
        if shown and self._present:
            properties = [(label, query, value) for (label, query), value in list(shown.items())[:10]]
            self._send(Frame(lsas=[self._lsa("s", properties)]))

    def _plays(self, trick: str) -> bool:
        return self._world.clock.now_s() < self._until_s.get(trick, 0.0)

    def _lsa(self, name: str, properties: list[tuple[str, str, bytes]], origin: str = "") -> Lsa:
        self._version += 1
        origin = origin or self.name
        path = [self.name, origin] if origin != self.name else [origin]
        shown = [Property(label, query, self._version, 0, value) for label, query, value in properties]
        return Lsa(f"{origin}.{name}", "prosumer", b"", origin, 1, self._version, LIFE_S, path, [], shown)

    def _beats(self, origins: list[str], hops: int, lsas: int) -> Frame:
        """Heartbeats in the name of some nodes, with an invented digest."""
        frame = Frame()
        for origin in origins:
            number, checksum = self._version, self._rng.randbytes(CHECKSUM_BYTES)
            said = Statement(origin, 1, number, lsas, checksum, number % 256, number, b"", b"")
            frame.statements.append(said)
            check = crc32(of_statement(said)).to_bytes(4, "big")
            frame.pulses.append(Pulse(origin, said.ordinal % 64, 0, hops, LIFE_S, check))
        return frame

    def _send(self, frame: Frame) -> None:
        try:
            data = encode(frame)
        except FrameError:
            return  # too large for a frame
        for peer in self._links.neighbours:
            self._links.send(peer, data)

    # ---- tricks of a twin ---------------------------------------------------------------------

    def _offer(self) -> Shown:
        """Offer everything that is requested, free of charge."""
        return {
            (OFFER, consumer): Offer(each.id, each.power_w, each.power_w, 0).encode()
            for consumer, each in self._requests.items()
        }

    def _confirm(self) -> Shown:
        """Confirm every contract that names it."""
        return self._answers({name: (each.id, True) for name, each in self._concerned().items()})

    def _deny(self) -> Shown:
        """Alternately confirm and refuse every contract that names it."""
        agreed = self._version % 2 == 0
        return self._answers({name: (each.id, agreed) for name, each in self._concerned().items()})

    def _confuse(self) -> Shown:
        """Answer contracts of others, and contracts that do not exist."""
        wrong = {name: (each.id, False) for name, each in self._contracts.items()}
        return self._answers(wrong | {f"{self.name}.ghost": (self._rng.getrandbits(40), True)})

    def _covet(self) -> Shown:
        """Request a huge power and accept no offer."""
        return {(REQUEST, ""): Request(self._version, _HUGE_W, Priority.MEDIUM).encode()}

    def _seize(self) -> Shown:
        """Publish a contract with all known suppliers, which none of them offered."""
        suppliers = sorted({part.supplier for each in self._contracts.values() for part in each.parts})[:32]
        parts = tuple(Part(supplier, 50.0, 52.5) for supplier in suppliers)
        contract = Contract(7, self._version, True, 3600, Priority.LOW, parts)
        return {(CONTRACT, ""): self._writer.contract(CONTRACT, contract)} if parts else {}

    def _nonsense(self) -> Shown:
        """Publish invalid messages under every label."""
        wrong: list[Any] = [None, [], {}, {"id": -1}, {"w": 1e308}, {"parts": [[]]}, "x" * 6000, [[1, 2, 3]]]
        return {
            (label, ""): orjson.dumps(self._rng.choice(wrong))
            for label in (REQUEST, OFFER, CONTRACT, COMPLEMENT, CONFIRM)
        }

    def _concerned(self) -> dict[str, Contract]:
        own = f"{self.name}.s"
        return {name: each for name, each in self._contracts.items() if each.part_of(own)}

    def _answers(self, words: dict[str, tuple[int, bool]]) -> Shown:
        table: Answers = {name: (Answer(number, agreed),) for name, (number, agreed) in words.items()}
        return {(CONFIRM, ""): self._writer.answers(table)} if table else {}

    # ---- tricks of a node ---------------------------------------------------------------------

    def _garbage(self) -> None:
        """Send bytes that are not frames."""
        for peer in self._links.neighbours:
            for size in (0, 1, 8, 100, MAX_BODY_BYTES // 4):
                self._links.send(peer, self._rng.randbytes(size))

    def _echo(self) -> None:
        """Replay received frames as if it had just forwarded them."""
        for data in self._rng.sample(self._heard, min(10, len(self._heard))):
            try:
                frame = decode(data)
            except FrameError:
                continue
            changed: list[Lsa | Delta] = [*frame.lsas, *frame.deltas]
            for each in changed:
                each.path = [*dict.fromkeys([self.name, *each.path])]
            self._send(frame)

    def _flood(self) -> None:
        """Send more LSAs, names, labels, origins, heartbeats and rosters than a node can hold."""
        numbers = [self._rng.randrange(10_000) for _ in range(_FLOOD)]
        what = self._rng.choice(("lsas", "labels", "large", "origins", "rosters"))
        frame = Frame()
        if what == "lsas":
            frame.lsas = [self._lsa(f"x{i}", [(REQUEST, "", b'{"id":1,"w":1.0,"prio":0}')]) for i in numbers]
        elif what == "labels":
            frame.lsas = [self._lsa(f"x{i}", [(f"L{i}", f"{self.name}.y{i}", b"1")]) for i in numbers]
        elif what == "large":
            large = b'"%s"' % (b"x" * 4000)
            frame.lsas = [self._lsa(f"x{i}", [(f"L{j}", "", large) for j in range(9)]) for i in numbers[:3]]
        elif what == "origins":
            frame = self._beats([f"ghost{i}" for i in dict.fromkeys(numbers)], 3, 7)
            frame.lsas = [self._lsa("t", [(REQUEST, "", b"{}")], f"ghost{i}") for i in numbers]
        else:
            entries = [(f"{self.name}.x{i}", MAX_SEQUENCE) for i in numbers]
            frame.rosters = [Roster(self.name, 1, MAX_SEQUENCE, entries)]
            frame.ask_lsas = [name for name, _ in entries]
        self._send(frame)


TWIN_TRICKS: dict[str, Callable[[Liar], Shown]] = {
    "offer": Liar._offer,
    "confirm": Liar._confirm,
    "deny": Liar._deny,
    "confuse": Liar._confuse,
    "covet": Liar._covet,
    "seize": Liar._seize,
    "nonsense": Liar._nonsense,
}
TRICKS = (*TWIN_TRICKS, "garbage", "flood", "echo")
