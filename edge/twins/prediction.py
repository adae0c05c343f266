"""What the learning twin predicts: the labels under which it publishes that, and a prediction of states."""

from dataclasses import dataclass

from ..learn.terms import HORIZONS_MIN, Array
from ..terms import VARIABLES

PRED = {"node": "PRED", "cluster": "PRED_CLUSTER"}
PRED_W = {"node": "PRED_W", "cluster": "PRED_W_CLUSTER"}  # in watts with bands, for the twins of this node


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted after a minute: probabilities (6, 4, 7) of the states at the horizons. With gossip,
    `own` is what the own model predicts alone."""

    minute: int
    probabilities: Array
    own: Array

    def likeliest(self) -> dict[str, dict[str, list[float]]]:
        """For people: the most likely state (1 to 7) and its probability, by variable and horizon."""
        best, sure = self.probabilities.argmax(-1) + 1, self.probabilities.max(-1)
        return {
            variable: {
                str(horizon): [int(best[v, h]), round(float(sure[v, h]), 3)]
                for h, horizon in enumerate(HORIZONS_MIN)
            }
            for v, variable in enumerate(VARIABLES)
        }
