"""What is fuzzed: each target reads bytes of any kind and may only refuse them in the way that it documents.

The first byte of an input says how much of it the fuzzer need not guess: a checksum, a signature or a seal
is then put right, as a member with keys of its own would do it. So the code behind these checks is reached.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from edge.energy import memory, parsing, totals
from edge.energy.daily_run import RunSettings
from edge.energy.members import Members
from edge.energy.planner import Planner
from edge.energy.urgency import Urgency
from edge.net.frame import decode, encode
from edge.net.schema import FrameError
from edge.space.agent import Bond
from edge.space.tuplespace import TupleSpace
from edge.trust.certificate import BadCertificate, Certificate, issue
from edge.trust.revocation import BadList, Revocations
from edge.trust.revocation import issue as issue_list
from edge.trust.trust import SealBroken, Untrusted
from edge.twins.envelope import Reader, context, split

from . import gossip, negotiation, samples
from .samples import OTHER, OWN, Village

_REPAIR, _SIGN = 1, 2  # bits of the first byte of an input
_BAD_MESSAGE = (ValueError, KeyError, TypeError)
_PARSERS: tuple[Callable[[bytes], Any], ...] = (
    parsing.parse_request,
    parsing.parse_offer,
    parsing.parse_contract,
    parsing.parse_stub,
    parsing.parse_parts,
    parsing.parse_answers,
)
_RUN = RunSettings(power_w=100.0, run_s=3600.0, within_s=7200.0, ready_hour=6.0)
_KEPT: tuple[Callable[[Any], object], ...] = (
    memory.read_contracts,
    memory.read_promises,
    lambda kept: Urgency().recall(kept, 0.0),
    lambda kept: Members(OWN, size=4).recall(kept, 0.0),
    lambda kept: Planner(_RUN).recall(kept, 0.0),
)


class Finding(AssertionError):
    """An input did what no input may do."""


@dataclass(frozen=True, slots=True)
class Target:
    """`run` returns for every input, or there is a finding."""

    name: str
    text: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    longest: int  # bytes of an input


def _frame(data: bytes) -> None:
    frame = samples.with_checksum(data[1:]) if data[:1] and data[0] & _REPAIR else data[1:]
    try:
        read = decode(frame)
    except FrameError:
        return
    written = encode(read)
    if encode(decode(written)) != written:
        raise Finding("a frame that is written and read again is another one")


class _Gateway:
    """Each input is one frame to a new node that has keys; what the node itself shows must stay."""

    def __init__(self) -> None:
        self._village = Village()

    def run(self, data: bytes) -> None:
        how = data[0] if data else 0
        frame = samples.with_checksum(data[1:]) if how & _REPAIR else data[1:]
        if how & _SIGN:
            frame = self._village.signed(frame)
        node = self._village.node()
        for _ in range(2):  # the second time it is no news
            node.gateway.receive(OTHER, frame)
        node.settle()
        _stays_within(node.space)
        if node.own() != samples.OWN_VALUE:
            raise Finding("what the node itself shows has changed")


def _stays_within(space: TupleSpace) -> None:
    shown = sum(1 for state in space.lsa_state if state)
    if shown > space.limits.lsas:
        raise Finding(f"{shown} LSAs in a space for {space.limits.lsas}")


class _Certificates:
    def __init__(self) -> None:
        self._village = Village()

    def run(self, data: bytes) -> None:
        how, body = (data[0] if data else 0), data[1:]
        if how & _SIGN:
            body += self._village.authority.sign(body)
        try:
            read = Certificate(body)
        except BadCertificate:
            return
        again = issue(
            lambda signed: read.signature,
            cluster=read.cluster,
            node=read.node,
            serial=read.serial,
            begins_s=read.begins_s,
            ends_s=read.ends_s,
            sign_key=read.sign_key,
            seal_key=read.seal_key,
        )
        if again != body:
            raise Finding("a certificate has two encodings")
        keys = self._village.keyring()
        try:
            keys.introduce(read.node, body)
            keys.seal(read.node, b"", b"text")
        except Untrusted:
            pass


class _Lists:
    def __init__(self) -> None:
        self._village = Village()

    def run(self, data: bytes) -> None:
        how, body = (data[0] if data else 0), data[1:]
        if how & _SIGN:
            body += self._village.authority.sign(body)
        with contextlib.suppress(BadList):
            read = Revocations(body)
            again = issue_list(
                lambda signed: read.signature, cluster=read.cluster, number=read.number, serials=read.serials
            )
            if again != body:
                raise Finding("a list has two encodings")
        keys = self._village.keyring()
        if keys.revoke(body):
            keys.second_passed()
            if keys.revocations() not in (b"", body):
                raise Finding("another list is kept than was accepted")


class _Note:
    """A property as its reader sees it."""

    def __init__(self, label: str, query: str, value: bytes) -> None:
        self.label, self.query, self._value = label, query, value
        self.name, self.origin = f"{OTHER}.twin", OTHER

    def value(self) -> bytes:
        """Its bytes."""
        return self._value


class Envelopes:
    """With `_SIGN`, the input is a stub, a zero byte and plain text, which is sealed here by a member."""

    def __init__(self) -> None:
        village = Village()
        self._keys, self._other = village.keyring(), village.others[OTHER]
        reader = Reader(OWN, self._keys)
        self._readers = (
            ("OFFER", f"{OWN}.twin", reader.offer),
            ("CONTRACT1", "", reader.contract),
            ("CONTRACT_CONFIRM", "", reader.answers),
        )

    def read(self, data: bytes) -> object:
        """What its reader makes of an input; None if it is invalid."""
        how, body = (data[0] if data else 0), data[1:]
        label, query, read = self._readers[(how >> 2) % len(self._readers)]
        if how & _SIGN:
            stub, _, plain = body.partition(b"\0")
            bound = context(label, f"{OTHER}.twin", query or OWN)
            sealed = self._other.seal(OWN, bound, plain)
            if query:
                body = sealed
            else:
                size = len(sealed).to_bytes(2, "big")
                body = stub + b"\0" + self._other.tag(OWN, bound) + size + sealed
        message = read(cast(Bond, _Note(label, query, body)))
        with contextlib.suppress(ValueError):
            list(split(body)[1])
        try:
            self._keys.open(OTHER, b"", body)
        except SealBroken:
            return message
        raise Finding("a seal for no place was opened")

    def run(self, data: bytes) -> None:
        self.read(data)


@dataclass(slots=True)
class _Shown:
    node: str
    value: bytes


def _energy(data: bytes) -> None:
    """The first byte chooses one parser, so that the fuzzer sees which input belongs to which."""
    how, body = (data[0] if data else 0), data[1:]
    choice = how % (len(_PARSERS) + len(_KEPT) + 1)
    if choice < len(_PARSERS):
        _parse(_PARSERS[choice], body)
    elif choice < len(_PARSERS) + len(_KEPT):
        try:
            value = parsing.read_object(body)
        except ValueError:
            return
        with contextlib.suppress(*_BAD_MESSAGE):
            _KEPT[choice - len(_PARSERS)](value.get("v"))
    else:
        parts = body.split(b"\0")[:40]
        told = totals.read_sum(totals.sum_of_totals(_Shown(str(i), each) for i, each in enumerate(parts))[0])
        if told and (told[0] > len(parts) or min(told[1]) < 0):
            raise Finding("an impossible sum of totals")


def _parse(parse: Callable[[bytes], Any], body: bytes) -> None:
    try:
        read = parse(body)
    except _BAD_MESSAGE:
        return
    if hasattr(read, "encode"):
        again = parse(read.encode()) if parse is not parsing.parse_stub else parse(read.stub())
        if again.encode() != read.encode():
            raise Finding("a message that is written and read again is another one")


def _first(how: int, bodies: Iterable[bytes]) -> Iterator[bytes]:
    for body in bodies:
        yield bytes([how]) + body


def _frame_seeds() -> Iterator[bytes]:
    frames = samples.frames()
    for how in (0, _REPAIR, _REPAIR | _SIGN):
        yield from _first(how, frames)


def _certificate_seeds() -> Iterator[bytes]:
    whole = samples.certificates()
    yield from _first(0, whole)
    yield from _first(_SIGN, (each[:-64] for each in whole))


def _list_seeds() -> Iterator[bytes]:
    whole = samples.revocations()
    yield from _first(0, whole)
    yield from _first(_SIGN, (each[:-64] for each in whole))


def _envelope_seeds() -> Iterator[bytes]:
    for kind, (plain, sealed) in enumerate(samples.envelopes()):
        yield bytes([kind << 2 | _SIGN]) + plain
        yield bytes([kind << 2]) + sealed


def _energy_seeds() -> Iterator[bytes]:
    for choice, messages in enumerate(samples.messages()):
        yield from _first(choice, messages)


def targets() -> dict[str, Target]:
    """All of them, by name."""
    found = (
        Target("frame", "decoder of frames", _frame, _frame_seeds, 8192),
        Target(
            "gateway", "a node with keys and a frame of its neighbour", _Gateway().run, _frame_seeds, 4096
        ),
        Target("certificate", "identities of nodes", _Certificates().run, _certificate_seeds, 256),
        Target("revocations", "lists of revoked nodes", _Lists().run, _list_seeds, 1100),
        Target("envelope", "sealed offers, contracts and answers", Envelopes().run, _envelope_seeds, 2048),
        Target("energy", "messages and memory of twins, plans, totals", _energy, _energy_seeds, 2048),
        Target(
            "negotiation", "what members claim and use, in any order", negotiation.run, negotiation.seeds, 601
        ),
        Target("gossip", "models and predictions of neighbours, forecasts", gossip.run, gossip.seeds, 2048),
    )
    return {each.name: each for each in found}
