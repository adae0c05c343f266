"""The attacks: those that were tried against the release before, and the kinds they belong to.

`before` says what each did then, before there were signatures and limits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.energy.messages import Priority

from . import door, frames, promises, web
from .member import Lie as FrameLie

LEARNS = "n3"  # the node that learns, and that the liar is a neighbour of
ALL_W = {"n1.d0": 1400.0, "n2.grid": 2800.0, "n3.d0": 375.0}


@dataclass(frozen=True)
class ByFrames:
    """A member sends frames that no node would send. `mute`: its own broker answers nobody."""

    lie: FrameLie
    mute: bool = False


@dataclass(frozen=True)
class ByTwins:
    """The twins of a member lie; there are `twins` of them."""

    begin: promises.Lie
    twins: int = 1


@dataclass(frozen=True)
class ByWeb:
    """Somebody asks the HTTP server of a node."""

    attack: web.Attack


@dataclass(frozen=True)
class ByDoor:
    """A stranger or a broken file keeps a member out of a provisioned broker; seconds until it is in."""

    check: Callable[[Path], float]


@dataclass(frozen=True)
class Case:
    """One attack."""

    name: str
    kind: str
    text: str
    lie: ByFrames | ByTwins | ByWeb | ByDoor
    before: str
    learning: bool = False  # the victim learns, under the memory limit of its service
    restarts: str = ""  # an honest node that loses its power meanwhile and must get in again
    away_s: float = 0.0  # so long it is without power; after 15 s it is forgotten
    late: str = "n1"  # where another load is switched on meanwhile
    revoked: bool = False  # the operator revokes the liar meanwhile
    seen: bool = True  # an honest node must name it in /health
    quick: bool = False


def _taken(name: str, text: str, lie: promises.Lie, before: str, twins: int = 1, quick: bool = False) -> Case:
    return Case(name, "taken", text, ByTwins(lie, twins), before, quick=quick)


def _ended(name: str, text: str, lie: FrameLie, before: str, restarts: str = "", quick: bool = False) -> Case:
    return Case(name, "ended", text, ByFrames(lie), before, restarts=restarts, quick=quick)


def _crowded(name: str, text: str, lie: FrameLie, before: str) -> Case:
    return Case(name, "crowded out", text, ByFrames(lie), before, restarts="n4", away_s=20.0)


def _cost(name: str, text: str, lie: FrameLie, before: str) -> Case:
    return Case(name, "cost", text, ByFrames(lie), before)


_NEW = "not tried"
CASES = (
    Case(
        "inflate",
        "killed",
        "frames that inflate, 10 a second, at a node that learns",
        ByFrames(frames.inflating),
        "killed by 1 frame",
        learning=True,
    ),
    Case(
        "headers",
        "killed",
        "requests of 90 headers of 60 kB",
        ByWeb(web.headers),
        "killed by 1 request",
        learning=True,
        seen=False,
    ),
    Case("many", "killed", "50 requests at once", ByWeb(web.many), _NEW, learning=True, seen=False),
    Case("slow", "killed", "40 requests that never end", ByWeb(web.slow), "HTTP shut out", seen=False),
    Case(
        "day",
        "killed",
        "/predictions of a day, four times at once",
        ByWeb(web.day),
        "killed",
        learning=True,
        seen=False,
    ),
    Case(
        "scores",
        "killed",
        "/scores of 100 days, four times at once",
        ByWeb(web.scores),
        "17 s of CPU",
        learning=True,
        seen=False,
    ),
    _taken("boundless", "an urgent request for 9 MW", promises.seize(9e6), "99.9 % lost", quick=True),
    _taken("no-offer", "a contract that no offer preceded", promises.forge(ALL_W), "believed"),
    _taken(
        "unconfirmed",
        "30 urgent requests that never confirm",
        promises.never_confirm(300.0, 1e9),
        "no contract for 30 s",
        twins=30,
    ),
    _taken(
        "renewed",
        "30 urgent requests under new ids",
        promises.never_confirm(300.0, 0.5),
        "no contract for 30 s",
        twins=30,
    ),
    Case(
        "invented",
        "taken",
        "20 invented nodes with urgent requests",
        ByFrames(frames.invented_nodes),
        "no contract",
        quick=True,
    ),
    _taken("new-ids", "contracts under new ids", promises.reopen(2000.0, 0.5), "no contract"),
    Case(
        "gather",
        "taken",
        "gathers all remainders for nothing",
        ByTwins(promises.gather(49_000.0, Priority.HIGH)),
        _NEW,
        seen=False,
    ),
    _taken("hoard", "takes 3 kW and draws nothing", promises.hoard(3000.0), "11 % lost in 30 s"),
    _taken(
        "hoard-again",
        "the same again each 5 s",
        promises.hoard(3000.0, again_s=5.0),
        "20 % lost as long as it lasts",
    ),
    Case(
        "refuser",
        "taken",
        "offers all and refuses",
        ByTwins(promises.supplying(lambda supplier, contract: False)),
        _NEW,
        late="n3",
    ),
    _ended(
        "tombstone",
        "ends LSAs of a node in its name",
        frames.tombstones("n4"),
        "contract ended by 75 bytes",
        quick=True,
    ),
    _ended(
        "far-tombstone",
        "ends LSAs of a node two hops away",
        frames.tombstones("n1", "n2"),
        "contract ended by 108 bytes",
    ),
    _ended("huge-version", "shows LSAs of others, last version", frames.huge_version, "out until restart"),
    _ended(
        "late-life",
        "states last incarnations of others",
        frames.late_incarnation,
        "out after restart",
        restarts="n3",
    ),
    Case("roster", "ended", "empty rosters of others", ByFrames(frames.forged_roster), _NEW, seen=False),
    _ended("delta", "changes LSAs of others", frames.forged_delta, _NEW),
    _crowded("labels", "120 labels", frames.labels, "0 of 500 W for 60 s"),
    _crowded("names", "names without end", frames.names, "table full"),
    _crowded("nodes", "60 invented nodes", frames.nodes, "not let in"),
    _crowded("values", "values of 9 kB", frames.values, "heap full"),
    _crowded("slots", "600 LSAs", frames.slots, _NEW),
    _cost("worst-5", "worst frames, 5 a second", frames.worst(5), "CPU 21 %, HTTP 74 ms"),
    _cost("worst-20", "worst frames, 20 a second", frames.worst(20), "CPU 45 %, HTTP 636 ms"),
    _cost("worst-60", "worst frames, 60 a second", frames.worst(60), "8 of 49 ticks"),
    _cost("forged", "40 wrong signatures a frame, 20 a second", frames.forged(20), _NEW),
    Case("questions", "cost", "asks for all", ByFrames(frames.questions), "57 kB/s sent", seen=False),
    _cost("garbage", "bytes that are no frames", frames.garbage, "held"),
    Case("flap", "silence", "comes and goes twice a second", ByFrames(frames.flap), _NEW, seen=False),
    Case("mute", "silence", "its broker never answers", ByFrames(frames.quiet, mute=True), _NEW, seen=False),
    Case(
        "revoked",
        "locked out",
        "is revoked and goes on requesting",
        ByTwins(promises.never_confirm(300.0, 1e9)),
        "stayed in until a HUP",
        revoked=True,
    ),
    Case("idle-tls", "locked out", "200 idle TLS connections", ByDoor(door.idle), "locked out"),
    Case(
        "client-id", "locked out", "a local process uses its client id", ByDoor(door.client_id), "inbox down"
    ),
    Case("empty-list", "locked out", "the revocation list is empty", ByDoor(door.empty_list), "no broker"),
)
KINDS = tuple(dict.fromkeys(each.kind for each in CASES))
