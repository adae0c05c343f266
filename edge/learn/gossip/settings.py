"""What is exchanged in one scope, how it is combined, and what it may cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ..gossip_names import AUTO, EXPERTS

PerVariable: TypeAlias = str | Mapping[str, str]  # one operator for all, or one by variable


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """The settings of an exchange. `gate`: merged weights serve only if they are `better` than the own ones
    beyond the noise, or if they are `harmless`; `none` takes all, without limits of norms, for comparison."""

    models: bool = True
    predictions: bool = True
    operator: PerVariable = AUTO
    prediction_operator: PerVariable = EXPERTS
    model_every_min: int = 20
    level: str = "coarse"  # of the power profile
    private: bool = True  # output layers stay at home
    bytes_per_hour: int = 360_000  # of models, sent to all neighbours together
    message_bytes: int = 10_000  # of one model message
    most_neighbours: int = 4
    noise: float = 0.0  # standard deviation of noise on weights, in units of the norm limit; 0: none
    gate: str = "better"

    def operator_of(self, variable: str) -> str:
        """The operator that merges models of a variable."""
        return _of(self.operator, variable, AUTO)

    def prediction_operator_of(self, variable: str) -> str:
        """The operator that combines predictions of a variable."""
        return _of(self.prediction_operator, variable, EXPERTS)


def _of(chosen: PerVariable, variable: str, default: str) -> str:
    return chosen if isinstance(chosen, str) else chosen.get(variable, default)
