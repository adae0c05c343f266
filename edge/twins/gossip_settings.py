"""The section `[gossip]` of a configuration. Without numpy, as `settings`."""

from dataclasses import dataclass
from typing import Annotated

from ..learn.gossip_names import (
    AUTO,
    CONSENSUS,
    EXPERTS,
    GATES,
    LEAST_MESSAGE_BYTES,
    LEVELS,
    MODEL_OPERATORS,
    MOST_MESSAGE_BYTES,
    PREDICTION_OPERATORS,
)
from ..option import OneOf, Within
from ..terms import DAY_MIN, VARIABLES

MODEL = {"node": "MODEL", "cluster": "MODEL_CLUSTER"}  # labels, by scope
PRED_SHARE = {"node": "PRED_SHARE", "cluster": "PRED_SHARE_CLUSTER"}
GOSSIP_LABELS = (*MODEL.values(), *PRED_SHARE.values())
_SWITCH = OneOf("on", "off")
_MODEL_OPERATOR = OneOf(AUTO, *MODEL_OPERATORS)
_PREDICTION_OPERATOR = OneOf(EXPERTS, AUTO, *PREDICTION_OPERATORS)
_CLUSTER_OPERATOR = OneOf(CONSENSUS, EXPERTS, AUTO, *PREDICTION_OPERATORS)
_EVERY_MIN, _COUNTED_EVERY_MIN = 20, 5  # thesis 6.3.4.2: networks, and chains, which cost little


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipSettings:
    """What a node that learns exchanges with its direct neighbours. Training data never leave it."""

    models: Annotated[str, _SWITCH, "exchange models"] = "off"
    predictions: Annotated[str, _SWITCH, "exchange predictions, once a minute"] = "off"
    operator: Annotated[str, _MODEL_OPERATOR, "how models are weighed; `auto`: what scored best of late"] = (
        AUTO
    )
    operators: Annotated[str, "other operators for some variables: variable = operator; ..."] = ""
    prediction_operator: Annotated[
        str, _PREDICTION_OPERATOR, "how predictions are weighed; `experts`: with weights learnt every minute"
    ] = EXPERTS
    cluster_operator: Annotated[
        str,
        _CLUSTER_OPERATOR,
        "how predictions of the microgrid are weighed; `consensus`: all nodes come to agree on one",
    ] = CONSENSUS
    prediction_operators: Annotated[str, "the same for some variables: variable = operator; ..."] = ""
    every_min: Annotated[
        int, Within(0, DAY_MIN), "minutes between two messages with a model; 0: 20, with `markov` 5"
    ] = 0
    profile: Annotated[
        str,
        OneOf(*LEVELS),
        "power profile of two hours that neighbours are told: `none`, `coarse` (quarters of an hour, "
        "rounded) or `minutes`",
    ] = "coarse"
    outputs: Annotated[
        str, OneOf("private", "shared"), "whether the layers that give the outputs of networks are exchanged"
    ] = "private"
    bytes_per_hour: Annotated[
        int, Within(1_000, 10**8), "most bytes of models in an hour, all neighbours and scopes together"
    ] = 360_000
    message_bytes: Annotated[
        int,
        Within(LEAST_MESSAGE_BYTES, MOST_MESSAGE_BYTES),
        "longest message with a model; at most limits.value_bytes",
    ] = 10_000
    most_neighbours: Annotated[int, Within(1, 8), "neighbours whose models are kept"] = 4
    gate: Annotated[
        str,
        OneOf(*GATES),
        "merged networks serve if they are `better` than the own ones beyond the noise, or if they are "
        "`harmless`; `none`: always, without any defence, for experiments",
    ] = "better"
    noise: Annotated[
        float,
        Within(0, 100),
        "noise on networks for differential privacy, in units of the usual difference; counts then stay at "
        "home; 0: none",
    ] = 0.0

    @property
    def wanted(self) -> bool:
        """Whether anything is exchanged."""
        return "on" in (self.models, self.predictions)

    def every_min_of(self, model: str) -> int:
        """The period of a model."""
        return self.every_min or (_COUNTED_EVERY_MIN if model == "markov" else _EVERY_MIN)

    @property
    def operator_by_variable(self) -> dict[str, str]:
        """The operator of models for each variable. Raises ValueError."""
        return _by_variable(self.operator, self.operators, (AUTO, *MODEL_OPERATORS))

    @property
    def prediction_operator_by_variable(self) -> dict[str, str]:
        """The operator of predictions of a node for each variable. Raises ValueError."""
        return self.prediction_operator_in("node")

    def prediction_operator_in(self, scope: str) -> dict[str, str]:
        """The operator of predictions in a scope for each variable. Raises ValueError."""
        operator = self.cluster_operator if scope == "cluster" else self.prediction_operator
        known = (EXPERTS, AUTO, *PREDICTION_OPERATORS)
        return _by_variable(operator, self.prediction_operators, known)


def _by_variable(operator: str, others: str, known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, others.split(";"))):
        variable, equals, name = (each.strip() for each in part.partition("="))
        if not equals or variable not in VARIABLES:
            raise ValueError(f"`{part}` must have the form variable = operator, with {', '.join(VARIABLES)}")
        if name not in known:
            raise ValueError(f"`{name}` is not one of {', '.join(known)}")
        if variable in found:
            raise ValueError(f"`{variable}` is given twice")
        found[variable] = name
    return dict.fromkeys(VARIABLES, operator) | found
