"""The lying member: it plays the lies of a storm on one node of the virtual world, as long as each lasts."""

import random
from collections.abc import Callable
from contextlib import suppress

from edge.net.links import Links
from edge.space.errors import SpaceError
from edge.trust.trust import Untrusted

from ...world.world import World
from .claims import Claim, claimed
from .energy import LyingTwin
from .false_twin import FalseTwin, speaker
from .grammar import WORDS, Lie
from .mouth import Mouth
from .relay import LyingLinks

_TRADE_S = 0.5  # the market tricks are not played more often


class Liar:
    """One node of a world, and its lies. It must exist before the node starts."""

    def __init__(self, world: World, name: str, rng: random.Random) -> None:
        self.name = name
        self._world = world
        self._rng = rng
        self._active: list[tuple[Lie, float]] = []  # until when
        self._twins: list[LyingTwin] = []
        self._speakers: dict[str, FalseTwin] = {}  # by short name
        self._mouth: Mouth | None = None
        self._links: LyingLinks | None = None
        self._silenced = False
        make = world.links

        def links(node: str, neighbours: list[str]) -> Links:
            made = make(node, neighbours)
            if node != name:
                return made
            self._links = LyingLinks(name, made, world.after, rng)
            self._links.lies = lambda: self._lies("relay")
            return self._links

        world.links = links

    def lie(self, lie: Lie) -> None:
        """Begin a lie."""
        if self._mouth is None and self._links is not None:
            self._mouth = self._links.mouth = Mouth(self._world.nodes[self.name].node, self._rng)
        before = self._lies(*_together(lie))
        self._active.append((lie, self._world.clock.now_s() + lie.seconds))
        if lie.family == "wire":
            self._repeat(lie, 1.0 / lie.rate_hz, lambda: self._say(lie))
        elif lie.family == "energy":
            self._hire(int(lie.subject))
            if not before:
                self._repeat(lie, _TRADE_S, self._trade)
        elif lie.family in WORDS:
            self._hire_speaker(speaker(lie))
            if not before:
                self._repeat(lie, _TRADE_S, self._speak)

    def stop(self, *, leaves: bool) -> None:
        """Say nothing but the truth from now on, or leave the microgrid."""
        self._silenced = True
        self._active.clear()
        node = self._world.nodes[self.name]
        if not node.alive:
            return
        for twin in (*self._twins, *self._speakers.values()):
            node.touch(lambda node, twin=twin: node.engine.remove(twin))  # type: ignore[misc]
        if leaves:
            node.kill()

    # ---- inside -----------------------------------------------------------------------------------

    def _lies(self, *families: str) -> list[Lie]:
        now_s = self._world.clock.now_s()
        return [lie for lie, until_s in self._active if lie.family in families and now_s < until_s]

    def _repeat(self, lie: Lie, every_s: float, step: Callable[[], None]) -> None:
        """Again and again, until no lie that is said together with it, or not this one on the wire, lasts."""

        def again() -> None:
            lasting = self._lies(*_together(lie))
            if self._silenced or not (lie in lasting or (lasting and lie.family != "wire")):
                if lie.family != "wire" and not self._silenced:
                    step()  # nothing: what was shown is withdrawn
                return
            step()
            self._world.after(every_s, again)

        again()

    def _say(self, lie: Lie) -> None:
        if self._mouth is None:
            return
        with suppress(Untrusted):
            self._send(self._mouth.say(lie))

    def _send(self, frame: bytes) -> None:
        if self._links is None:
            return
        for peer in self._links.neighbours:
            self._links.inject(peer, frame)

    def _hire(self, count: int) -> None:
        node = self._world.nodes[self.name]
        while len(self._twins) < count:
            twin = LyingTwin(f"s{len(self._twins)}", node.node.twins[0].home)
            self._twins.append(twin)
            with suppress(SpaceError):
                node.touch(lambda node, twin=twin: node.engine.add(twin))  # type: ignore[misc]

    def _trade(self) -> None:
        lies = self._lies("energy")
        for i, twin in enumerate(self._twins):
            mine = [lie for lie in lies if i < int(lie.subject)]
            if twin.handle:
                with suppress(SpaceError, Untrusted):
                    self._world.nodes[self.name].touch(lambda node, t=twin, m=mine: t.play(m))  # type: ignore[misc]

    def _hire_speaker(self, name: str) -> None:
        """A twin of that name, unless an honest one has it."""
        node = self._world.nodes[self.name]
        if name in self._speakers or node.node.space.find(f"{self.name}.{name}"):
            return
        twin = self._speakers[name] = FalseTwin(name, node.node.twins[0].home, self._rng)
        with suppress(SpaceError):
            node.touch(lambda node: node.engine.add(twin))

    def _speak(self) -> None:
        """The words of the market, of negotiations and of gates."""
        node, lies = self._world.nodes[self.name], self._lies(*WORDS)
        others = [each for each in node.node.distances() if each != self.name]
        for name, twin in self._speakers.items():
            if not twin.handle:
                continue
            mine = [lie for lie in lies if speaker(lie) == name]
            claims: list[Claim] = []
            with suppress(SpaceError, Untrusted):
                node.touch(lambda _, t=twin, m=mine, c=claims: c.extend(t.play(m, others)))  # type: ignore[misc]
            for each in claims:
                self._send(claimed(node.node, each))


def _together(lie: Lie) -> tuple[str, ...]:
    """The families whose lies are said together."""
    return tuple(WORDS) if lie.family in WORDS else (lie.family,)
