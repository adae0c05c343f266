"""Gossip of the learning twin: its models and predictions go to direct neighbours, theirs come back.

Each scope has four near properties: the model and the prediction of the node, and the same of the microgrid.
They go one hop and do not live long: a neighbour keeps what it needs of them in its exchange
(`edge.learn.gossip`). A reaction only notes what has come. Reading it, and making messages, is work in small
pieces. Where nodes agree on a prediction, it settles in the first seconds of a minute, one round a second at
most: what was told has left by then.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from ..learn.gossip import DOES_NOT_FIT, Exchange, ExchangeSettings
from ..learn.learner import Learner
from ..space.agent import Bond
from .gossip_settings import MODEL, PRED_SHARE, GossipSettings
from .learning_settings import ScopeSettings
from .twin import Home

if TYPE_CHECKING:
    from .scope import Scope

LEARNING = "learning"  # the short name of the twin that gossips
_MODEL_LIFE_S, _PRED_LIFE_S = 30, 150
_NEIGHBOURS = 1  # the reach
_SCOPE_OF = {label: scope for labels in (MODEL, PRED_SHARE) for scope, label in labels.items()}

Submit = Callable[[str, bytes, int, int], None]  # label, value, life in s, reach


def exchange_for(
    settings: GossipSettings, scope: ScopeSettings, scopes: int, home: Home, rng: random.Random
) -> Callable[[Learner], Exchange]:
    """What makes the exchange of one of so many scopes for its learner. Raises ValueError."""
    asked = ExchangeSettings(
        models=settings.models == "on",
        predictions=settings.predictions == "on",
        operator=settings.operator_by_variable,
        prediction_operator=settings.prediction_operator_in(scope.scope),
        model_every_min=settings.every_min_of(scope.model),
        level=settings.profile,
        private=settings.outputs == "private",
        bytes_per_hour=settings.bytes_per_hour // scopes,
        message_bytes=settings.message_bytes,
        most_neighbours=settings.most_neighbours,
        noise=settings.noise,
        gate=settings.gate,
    )
    return lambda learner: Exchange(home.node, learner, asked, random.Random(rng.getrandbits(64)))


class Gossip:
    """What waits to be read and to be sent, for all scopes of the learning twin."""

    labels = tuple(_SCOPE_OF)

    def __init__(self, home: Home, scopes: Mapping[str, "Scope"]) -> None:
        self._home, self._scopes = home, scopes
        self._waiting: dict[tuple[str, str], bytes] = {}  # by label and neighbour: the newest value
        self._to_send: dict[str, None] = {}  # labels, in the order in which they are sent
        self._to_settle: set[str] = set()  # scopes whose prediction may settle

    # ---- in a reaction ----------------------------------------------------------------------------

    def noticed(self, bond: Bond) -> None:
        """A property of a neighbour has a new version."""
        source = bond.origin
        if bond.label not in _SCOPE_OF or bond.withdrawn:
            return
        if source in self._home.neighbours and bond.name == f"{source}.{LEARNING}":
            self._waiting[bond.label, source] = bond.value()

    def left(self, agent: str) -> None:
        """The LSA of an agent has left."""
        source, _, name = agent.partition(".")
        if name == LEARNING:
            for exchange in self._exchanges():
                exchange.left(source)

    @property
    def _minute(self) -> int:
        """The last minute that is over."""
        return int(self._home.clock.wall_s() // 60) - 1

    def minute_passed(self, predicted: list[str]) -> None:
        """A minute is over; some scopes have predicted what follows it."""
        self._to_send |= dict.fromkeys(PRED_SHARE[scope] for scope in predicted)
        self._to_send |= dict.fromkeys(MODEL[name] for name, scope in self._scopes.items() if scope.ready)

    def second_passed(self) -> None:
        """What has been told has left."""
        if not self._to_send:
            self._to_settle = {name for name, scope in self._scopes.items() if not scope.settled}

    def ready(self, scope: str) -> None:
        """A scope has loaded its past: its model need not wait for the next minute."""
        self._to_send[MODEL[scope]] = None

    # ---- as work ----------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether something is to be read, settled or sent."""
        return bool(self._to_send or self._readable or self._to_settle)

    @property
    def _readable(self) -> tuple[str, str] | None:
        """What is read next; a scope that still loads its past reads later."""
        for place in self._waiting:
            scope = self._scopes.get(_SCOPE_OF[place[0]])
            if scope is None or scope.ready:
                return place
        return None

    def work(self, submit: Submit) -> str | None:
        """One piece: make one message, read one, or settle a prediction; the scope whose prediction has."""
        if self._to_send:
            label = next(iter(self._to_send))
            del self._to_send[label]
            self._send(label, submit)
        elif (place := self._readable) is not None:
            self._read(*place, self._waiting.pop(place))
        elif self._to_settle:
            return self._settle(self._to_settle.pop())
        return None

    def _settle(self, name: str) -> str | None:
        scope = self._scopes[name]
        if not scope.settle():
            return None
        if not scope.settled:
            self._to_send[PRED_SHARE[name]] = None
        return name

    def _send(self, label: str, submit: Submit) -> None:
        name = _SCOPE_OF[label]
        scope = self._scopes[name]
        exchange, prediction, neighbours = scope.exchange, scope.prediction, len(self._home.neighbours)
        if exchange is None or not neighbours:
            return
        if label == MODEL[name]:
            data, life_s = exchange.outgoing(self._minute, neighbours), _MODEL_LIFE_S
        else:
            life_s = _PRED_LIFE_S
            data = None if prediction is None else exchange.told(prediction.minute, prediction.own)
        if data is not None:
            submit(label, data, life_s, _NEIGHBOURS)

    def _read(self, label: str, source: str, data: bytes) -> None:
        name = _SCOPE_OF[label]
        scope = self._scopes.get(name)
        if scope is None or scope.exchange is None:
            return
        if label == MODEL[name]:
            scope.exchange.receive_model(source, data, self._minute)
        else:
            scope.exchange.receive_prediction(source, data, self._minute)

    # ---- what it shows ----------------------------------------------------------------------------

    def troubles(self) -> Iterator[tuple[str, str]]:
        """Messages that are not as they should be."""
        for exchange in self._exchanges():
            for source, refused in exchange.troubles():
                if refused.reason != DOES_NOT_FIT:
                    yield "gossip_refused", f"gossip of {source} is refused: {refused}"

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Models that do not fit: their predictions are used all the same."""
        for exchange in self._exchanges():
            for source, refused in exchange.troubles():
                if refused.reason == DOES_NOT_FIT:
                    yield "models_do_not_fit", f"the model of {source} is not merged: {refused}"

    def _exchanges(self) -> Iterator[Exchange]:
        return (scope.exchange for scope in self._scopes.values() if scope.exchange is not None)
