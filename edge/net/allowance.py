"""What one neighbour may cost: frames, bytes, time, forged signatures, and answers to its questions.

Each is a bucket that fills with time and is emptied by what the neighbour does. A frame beyond it is dropped
before it is decoded, so that a flood costs its author more than this node. A relay that passes a flood on
is not to suffer for it: so what one origin may change is bounded too, wherever that comes from, and a flood
ends at the first honest node. What is left out then is asked for later, in its newest version.
"""

from ..space.tuplespace import TupleSpace
from .latest import Latest
from .settings import Rates

BURST_S = 20.0  # so many seconds' worth may come at once: all nodes may have started at the same time
# No setting: an honest neighbour forges nothing, however many nodes there are. These few are for relays that
# pass on a node whose new keys are not known here yet: its LSAs are asked for again each 2 s, so one each 2 s
# lasts, and as many as it may show in one frame or two at once. Each costs no more than a verification, about
# 2 ms on the board: a thousandth of a core for each neighbour.
_FORGED, _FORGED_S = 20.0, 0.5
_BELIEVED_AGAIN = 3.0  # so many are left again some seconds after it has stopped
# No setting either: a neighbour that restarts asks for all that the space holds, and perhaps once more. So
# much may be saved up; it comes back by what the neighbour sends, and by `answers_kb_per_min`.
_WHOLE = 2.0
# No setting: what a neighbour needs beyond these comes from `answers_kb_per_min`, and more would amplify.
RETURN = 3  # bytes of answers for each byte that a neighbour sends
_RECORD_BYTES = 100  # of an LSA, beside its values
_USUAL_BYTES = 1024  # of an LSA that is asked for; few are larger
_FOR_BEATS = 2  # changes of an origin that are left for its heartbeats, or it would seem to be dead
_RENEWED = 0.25  # changes that a renewal counts as: no law acts on it, and many have one signature
_FLOODING_S = 60
_STRANGERS = ""  # share one allowance


class Allowance:
    """The buckets of one neighbour."""

    __slots__ = (
        "_answers",
        "_answers_most",
        "_bytes",
        "_forged",
        "_forges",
        "_frames",
        "_rates",
        "_tick",
        "_work_s",
        "flooded_tick",
        "lacking",
    )

    def __init__(self, rates: Rates, tick: int, answers_bytes: float) -> None:
        self._rates = rates
        self._answers_most = answers_bytes
        self._tick = tick
        self._frames, self._bytes = BURST_S * rates.frames_per_s, BURST_S * _bytes_of(rates)
        self._work_s = BURST_S * _work_of(rates)
        self._forged, self._answers = _FORGED, answers_bytes
        self._forges = False
        self.flooded_tick = -_FLOODING_S  # when a frame was last dropped
        self.lacking = ""  # what it had spent then, in words, with the key that bounds it

    def admits(self, size: int, tick: int) -> bool:
        """Whether a frame of that size may be decoded; it is paid for then."""
        if tick != self._tick:
            self._refill(tick)
        if lacking := self._lacks(size):
            self.flooded_tick, self.lacking = tick, lacking
            return False
        self._frames -= 1
        self._bytes -= size
        self._answers = min(self._answers_most, self._answers + RETURN * size)
        return True

    def _lacks(self, size: int) -> str:
        if self._frames < 1:
            return "more frames than frames_per_s"
        if self._bytes < size:
            return "more bytes than frames_kb_per_s"
        if self._work_s <= 0:
            return "frames that cost more time than work_percent"
        return "forged signatures" if self._forged < 1 else ""

    def worked(self, seconds: float) -> None:
        """A frame of it took so much processor time."""
        self._work_s -= seconds

    def forged(self) -> None:
        """A signature was not that of its origin.

        Those that one frame has too many of are no debt, since the rest of it is left out (`believed`):
        otherwise a frame of a relay would silence all behind it for minutes.
        """
        self._forged = max(0.0, self._forged - 1)
        self._forges = self._forges or not self.believed

    def forges(self, tick: int) -> bool:
        """Whether it was not believed for forged signatures, now or some seconds ago."""
        if self._forges and tick != self._tick:
            self._refill(tick)
        return self._forges

    @property
    def believed(self) -> bool:
        """Whether signatures that it sends are verified now."""
        return self._forged >= 1

    def may_ask(self, size: int = 0) -> bool:
        """Whether its questions are answered, and so much is left for the answers, in bytes."""
        return self._answers > size

    def takes(self, tick: int) -> int:
        """How many LSAs of usual size would be admitted from it now; at least one."""
        if tick != self._tick:
            self._refill(tick)
        return max(1, int(self._bytes // _USUAL_BYTES))

    def answered(self, size: int) -> None:
        """It got answers of that size, in bytes."""
        self._answers -= size

    def _refill(self, tick: int) -> None:
        passed_s, rates = tick - self._tick, self._rates
        self._tick = tick
        self._frames = min(BURST_S * rates.frames_per_s, self._frames + rates.frames_per_s * passed_s)
        self._bytes = min(BURST_S * _bytes_of(rates), self._bytes + _bytes_of(rates) * passed_s)
        self._work_s = min(BURST_S * _work_of(rates), self._work_s + _work_of(rates) * passed_s)
        self._forged = min(_FORGED, self._forged + _FORGED_S * passed_s)
        self._forges = self._forges and self._forged < _BELIEVED_AGAIN
        answers_per_s = 1024 * rates.answers_kb_per_min / 60
        self._answers = min(self._answers_most, self._answers + answers_per_s * passed_s)


class Allowances:
    """Those of all neighbours, and those of all origins for their changes."""

    def __init__(self, space: TupleSpace, rates: Rates | None = None) -> None:
        self._space = space
        self._rates = rates or Rates()
        limits = space.limits
        self._answers_bytes = _WHOLE * (limits.heap_bytes + _RECORD_BYTES * limits.lsas)
        self._peers: dict[str, Allowance] = {}
        self._changes: Latest[str, tuple[float, int]] = Latest(
            space.nodes.capacity
        )  # by origin: what is left of them, and when
        self._restless: dict[str, int] = {}  # origins of which changes were left out, and when

    def of(self, peer: str) -> Allowance:
        """That of a neighbour. All other nodes that send frames here share one."""
        key = peer if self._space.is_neighbour(peer) else _STRANGERS
        found = self._peers.get(key)
        if found is None:
            found = self._peers[key] = Allowance(self._rates, self._space.tick, self._answers_bytes)
        return found

    def may_change(self, origin: str, beat: bool = False) -> bool:
        """Whether a change of an origin, or a heartbeat, is taken now."""
        left = self._left(origin)
        may = left >= (1 if beat else 1 + _FOR_BEATS)
        if not may:
            self._restless[origin] = self._space.tick
        return may

    def takes_of(self, origin: str) -> int:
        """How many LSAs of an origin would be taken now; at least one."""
        return max(1, int(self._left(origin)) - _FOR_BEATS)

    def takes_from(self, peer: str) -> int:
        """How many LSAs of usual size would be admitted from a neighbour now; at least one."""
        return self.of(peer).takes(self._space.tick)

    def changed(self, origin: str, renewed: bool = False) -> None:
        """A change of an origin was taken; or what is shown already was only `renewed`, which costs less."""
        left = self._left(origin)
        self._changes.note(origin, (left - (_RENEWED if renewed else 1), self._space.tick))

    @property
    def forging(self) -> list[str]:
        """Neighbours of which not everything is believed now, as they forge."""
        return [peer for peer, each in self._peers.items() if peer and each.forges(self._space.tick)]

    @property
    def flooding(self) -> dict[str, str]:
        """Neighbours of which frames were dropped in the last minute, and what they send."""
        since = self._space.tick - _FLOODING_S
        found = ((peer or "strangers", each) for peer, each in self._peers.items())
        return {peer: each.lacking for peer, each in found if each.flooded_tick > since}

    @property
    def restless(self) -> list[str]:
        """Origins of which changes were left out in the last minute."""
        since = self._space.tick - _FLOODING_S
        self._restless = {origin: tick for origin, tick in self._restless.items() if tick > since}
        return list(self._restless)

    def _left(self, origin: str) -> float:
        most = BURST_S * self._rates.changes_per_s
        left, tick = self._changes.get(origin, (most, 0))
        return min(most, left + self._rates.changes_per_s * (self._space.tick - tick))


def _bytes_of(rates: Rates) -> float:
    return 1024.0 * rates.frames_kb_per_s


def _work_of(rates: Rates) -> float:
    return rates.work_percent / 100
