"""Target `gossip`: shares of models and predictions of neighbours, and what is kept of forecasts.

The first byte says which kind an input is, and whether its checksum is put right, as any neighbour can do.
"""

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np

from edge.learn.checkpoint import pack, unpack
from edge.learn.gossip.deltas import counts_piece, delta_piece, whole_piece
from edge.learn.gossip.forecast import ForecastMessage
from edge.learn.gossip.incoming import Incoming
from edge.learn.gossip.message import Message
from edge.learn.gossip.packet import HEAD_BYTES, Refused, headed
from edge.learn.gossip.profile import NO_PROFILE, Profile
from edge.learn.outlook import unpacked
from edge.learn.parts import COUNTS, WEIGHTS, Part
from edge.learn.terms import Array
from edge.terms import VARIABLES

_REPAIR = 1
_KINDS = 4  # model, prediction, a forecast and a model that the node has kept
_TRUNK, _COUNTS = b"trunk...", b"counts.."
_HELD = np.linspace(-1.0, 1.0, 40, dtype=np.float32)
_MINUTE = 28_400_000
_COARSE = Profile(_MINUTE - 120 + 15 * np.arange(8), np.full((8, 6), 900.0, np.float32))
_MOST_WEIGHT = 1e3


class Strange(AssertionError):
    """A message was taken that says what no message may say."""


def _parts(variable: int) -> Mapping[str, Part]:
    return {
        "trunk": Part(WEIGHTS, _TRUNK, _HELD.copy()),
        "counts": Part(COUNTS, _COUNTS, np.zeros(30, np.float32)),
    }


def _model(data: bytes) -> None:
    incoming = Incoming(2)
    start = {(variable, _TRUNK): _HELD for variable in range(len(VARIABLES))}
    try:
        for source in ("near", "near", "other", "third"):
            share = incoming.receive(source, data, _parts, _MINUTE, start)
    except Refused:
        if incoming.shares:
            raise Strange("the same message was taken once and refused once") from None
        return
    if len(incoming.shares) > 2:
        raise Strange("there are more shares than neighbours")
    for values in share.weights.values():
        if values.shape != _HELD.shape or not np.abs(values).max() <= _MOST_WEIGHT:
            raise Strange("a weight is out of range")
    for variable in range(len(VARIABLES)):
        for found in share.values(
            variable, {"trunk": _parts(0)["trunk"], "counts": _parts(0)["counts"]}
        ).values():
            if not np.isfinite(found).all():
                raise Strange("a value is not finite")
    written = share.message.packed()
    if Message.unpacked(written).packed() != written:
        raise Strange("a message that is written and read again is another one")
    share.message.profile.distances(Profile(np.arange(120) + _MINUTE, np.ones((120, 6), np.float32)))
    incoming.wants()


def _prediction(data: bytes) -> None:
    try:
        read = ForecastMessage.unpacked(data)
    except Refused:
        return
    sums = read.probabilities.sum(-1)
    if not (np.isfinite(read.probabilities).all() and (abs(sums - 1.0) < 1e-3).all()):
        raise Strange("probabilities do not add up to 1")
    read.profile.distances(read.newest)
    ForecastMessage.unpacked(read.packed())


def _forecast(data: bytes) -> None:
    with contextlib.suppress(ValueError), np.errstate(all="ignore"):
        unpacked(data)


def _kept(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        unpack("outlook", data)


_RUN = (_model, _prediction, _forecast, _kept)


def run(data: bytes) -> None:
    """Try one input."""
    how, body = (data[0] if data else 0), data[1:]
    if how & _REPAIR and len(body) > HEAD_BYTES:
        body = headed(body[:3], body[3], body[HEAD_BYTES:])
    _RUN[(how >> 1) % _KINDS](body)


def _shape(*size: int) -> Array:
    found: Array = (np.arange(np.prod(size), dtype=np.float32).reshape(size) % 7 + 1) / 28
    return found


def _models() -> Iterator[Message]:
    moved = _HELD + np.float32(0.01)
    pieces = (
        whole_piece(0, _TRUNK, moved)[0],
        delta_piece(1, _TRUNK, moved, _HELD)[0],
        counts_piece(2, _COUNTS, np.arange(30, dtype=np.float32)),
    )
    samples, losses = np.arange(6.0), np.full(6, 0.5)
    yield Message(3, 2, samples, losses, 3000.0)
    yield Message(3, 2, samples, losses, 3000.0, wants={7: 3}, pieces=pieces)
    yield Message(3, 2, samples, losses, 3000.0, "coarse", _COARSE, pieces=pieces[:1])


def _predictions() -> Iterator[ForecastMessage]:
    shape = len(VARIABLES), 4, 7
    told: Array = (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 7 + 1) / 28
    line = Profile(np.array([_MINUTE]), np.full((1, 6), 900.0, np.float32))
    for profile, newest in ((NO_PROFILE, NO_PROFILE), (_COARSE, NO_PROFILE), (NO_PROFILE, line)):
        states, losses = np.zeros(6, np.int8), np.full(6, np.nan)
        yield ForecastMessage(_MINUTE, 5, "markov", 3000.0, states, losses, told, profile, newest)


def seeds() -> Iterator[bytes]:
    """Messages with and without pieces, profiles and wishes; a forecast; what a model has kept."""
    for how in (0, _REPAIR):
        yield from (bytes([how]) + each.packed() for each in _models())
        yield from (bytes([2 | how]) + each.packed() for each in _predictions())
    yield b"\4" + np.ones((6, 9, 7), "<f2").tobytes()
    kept = {"a": _HELD, "b": np.arange(5, dtype=np.int32)}
    yield b"\6" + pack("outlook", {"seen_minute": _MINUTE, "n": 3}, kept)
