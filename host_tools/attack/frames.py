"""Lies by frames: what a member sends in the name of others, and more than anybody can hold or read.

Each is a generator: it sends something, then yields how many seconds it waits.
"""

import itertools
import struct
import zlib
from collections.abc import Iterator

from edge.energy.messages import Priority, Request
from edge.energy.rules import REQUEST
from edge.net.frame import MAX_BODY_BYTES, VERSION, Frame, encode
from edge.net.packing import packed
from edge.net.schema import FrameError
from edge.space.courier import Roster
from edge.space.lsa import Lsa, Property
from edge.space.origins import LIFE_S, MAX_INCARNATION, MAX_SEQUENCE

from .member import Lie, Member, Steps

_NODES = [f"i{i}" for i in range(20)]
_MANY = [f"ghost{i}" for i in range(60)]
_WANTS = Request(1, 300.0, Priority.HIGH).encode()


# ---- ended: in the name of others --------------------------------------------------------------------


def _others(member: Member, *nodes: str) -> list[tuple[str, str, tuple[int, int, str]]]:
    """Node, suffix, and state of each LSA that it has heard of."""
    found = []
    for name, state in list(member.heard.items()):
        node, _, suffix = name.partition(".")
        if node in nodes:
            found.append((node, suffix, state))
    return found


def tombstones(*nodes: str) -> Lie:
    """End the LSAs of some nodes in their name."""

    def lie(member: Member) -> Steps:
        while True:
            for node, suffix, (incarnation, version, kind) in _others(member, *nodes):
                said = {"kind": kind, "incarnation": incarnation, "life_s": 0}
                member.show(member.lsa(suffix, [], node, version=version + 1, **said))  # type: ignore[arg-type]
            yield 0.5

    return lie


def huge_version(member: Member) -> Steps:
    """Show the LSAs of others in a version after which no other can come."""
    while True:
        for node, suffix, (incarnation, _, kind) in _others(member, *member.nodes):
            member.show(
                member.lsa(suffix, [], node, kind=kind, incarnation=incarnation, version=MAX_SEQUENCE - 1)
            )
        yield 1.0


def late_incarnation(member: Member) -> Steps:
    """State in the name of all others that they began after everything they can say."""
    while True:
        for node in sorted(member.nodes | {member.neighbour.name}):
            member.state(node, incarnation=MAX_INCARNATION - 1, lsas=0)
        yield 1.0


def forged_roster(member: Member) -> Steps:
    """Say that the others show nothing any more."""
    while True:
        for node in sorted(member.nodes):
            began = [state[0] for each, _, state in _others(member, node) if each == node]
            roster = Roster(node, max(began, default=1), MAX_SEQUENCE - 1, [])
            member.send(Frame(rosters=[roster]))
        yield 0.5


def forged_delta(member: Member) -> Steps:
    """Change the LSAs of others in their name."""
    while True:
        for node, suffix, _ in _others(member, *member.nodes):
            member.send(Frame(deltas=[member.delta(f"{node}.{suffix}", [(REQUEST, "", _WANTS)])]))
        yield 0.5


def invented_nodes(member: Member) -> Steps:
    """Twenty nodes that do not exist request power with high priority and confirm nothing."""
    while True:
        for node in _NODES:
            member.show(member.identity(node), member.lsa("t", [(REQUEST, "", _WANTS)], node))
            member.state(node, lsas=2)
        yield 1.0


# ---- crowded out -------------------------------------------------------------------------------------


def labels(member: Member) -> Steps:
    """Twelve LSAs, each with ten labels that nobody knows."""
    while True:
        for i in range(12):
            member.show(member.lsa(f"x{i}", [(f"L{10 * i + j}", "", b"1") for j in range(10)]))
        yield 1.0


def names(member: Member) -> Steps:
    """Names without end: of LSAs, and of agents that properties are for."""
    for start in itertools.count(step=32):
        shown = [(REQUEST, f"{member.name}.y{start + i:x}", b"1") for i in range(32)]
        member.show(member.lsa(f"x{start % 512:x}", shown[:16]), member.lsa(f"z{start:x}", shown[16:]))
        yield 0.25


def nodes(member: Member) -> Steps:
    """Sixty nodes that do not exist live on."""
    while True:
        for node in _MANY:
            member.send(Frame(lsas=[member.identity(node)]))
            member.state(node)
        yield 2.0


def values(member: Member) -> Steps:
    """Values as long as they may be."""
    for i in itertools.count():
        noise = bytes((i * 7 + j * 31) % 251 for j in range(9000))
        member.show(member.lsa(f"x{i % 40}", [(REQUEST, f"{member.name}.y{j}", noise) for j in range(4)]))
        yield 0.3


def slots(member: Member) -> Steps:
    """More LSAs than a space has places."""
    for start in itertools.count(step=40):
        member.show(*(member.lsa(f"x{(start + i) % 600}", [(REQUEST, "", b"1")]) for i in range(40)))
        yield 0.25


# ---- cost --------------------------------------------------------------------------------------------


def worst(rate: float) -> Lie:
    """Frames that cost as much as a frame can, so many a second."""

    def lie(member: Member) -> Steps:
        for data in itertools.cycle(list(worst_frames(member))):
            member.send_bytes(data)
            yield 1.0 / rate

    return lie


def forged(rate: float) -> Lie:
    """Frames full of signatures that are wrong."""

    def lie(member: Member) -> Steps:
        while True:
            targets = _others(member, *member.nodes)[:40]
            lsas = []
            for node, suffix, (incarnation, version, kind) in targets:
                said = {"kind": kind, "incarnation": incarnation, "version": version + 1}
                lsas.append(member.lsa(suffix, [], node, **said))  # type: ignore[arg-type]
            member.send(Frame(lsas=lsas))
            yield 1.0 / rate

    return lie


def questions(member: Member) -> Steps:
    """Ask for everything, at 40 kB a second."""
    while True:
        known = sorted(member.heard)
        origins = sorted(member.nodes | {member.neighbour.name})
        asked = (known * 256)[:256]
        data = encode(Frame(ask_roster=(origins * 128)[:128], ask_lsas=asked))
        member.send_bytes(data)
        yield max(0.01, len(data) / 40_000)


def garbage(member: Member) -> Steps:
    """Bytes that are no frames, and frames of an older version."""
    for i in itertools.count():
        member.send_bytes(bytes((i + 13 * j) % 256 for j in range(i % 4000)))
        member.send_bytes(b"M\x01" + bytes(200))
        yield 0.05


# ---- silence -----------------------------------------------------------------------------------------


def quiet(member: Member) -> Steps:
    """Nothing but its beats."""
    while True:
        yield 1.0


def flap(member: Member) -> Steps:
    """Come and go, twice a second."""
    for i in itertools.count():
        member.present(i % 2 == 0)
        yield 0.5


# ---- the dearest frames ------------------------------------------------------------------------------


def _sealed(body: bytes) -> bytes:
    """A frame with this body, compressed, and a right checksum, though no node would send it."""
    data = packed(body, 9)
    return struct.pack("<cBBBI", b"M", VERSION, 1, 0, zlib.crc32(data, 1 << 8)) + data


def inflating(member: Member) -> Steps:
    """Small frames that inflate: to more than may be, and to as many objects as may be."""
    while True:
        for data in worst_frames(member):
            member.send_bytes(data)
            yield 0.1


def worst_frames(member: Member) -> Iterator[bytes]:
    """Valid ones at the limits, and invalid ones that are found out late."""
    yield _sealed(bytes(20_000_000))
    yield _sealed(b"\x81\xa1l\x91" + b"\x91" * (MAX_BODY_BYTES - 100) + b"\xc0")
    yield _sealed(b"\x81\xa1l\xdd\xff\xff\xff\xff" + b"\x90" * 40_000)
    for count, properties in ((60, 20), (20, 60)):
        lsas = [_wide(member, i, properties) for i in range(count)]
        while lsas:
            try:
                yield encode(Frame(lsas=lsas))
                break
            except FrameError:
                lsas = lsas[:-2]
    entries = [(f"{member.name}.x{i:x}", 70_000) for i in range(1000)]
    yield encode(Frame(rosters=[Roster(member.name, 1, 70_000, entries)] * 4))


def _wide(member: Member, i: int, count: int) -> Lsa:
    member.number += 1
    version = member.number
    shown = [Property(f"L{k}", "", version, 0, b"") for k in range(count)]
    return Lsa(f"{member.name}.w{i}", "", b"", member.name, 2**21, version, LIFE_S, [member.name], [], shown)
