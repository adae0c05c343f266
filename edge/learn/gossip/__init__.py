"""Gossip of models and predictions among neighbours, as pure functions and classes (thesis chapter 6).

`message` is what travels; `outgoing` and `incoming` turn parts of models into pieces of it and back.
`operators` weigh the contributions, `ensemble` combines predictions, `clipping` and `gate` keep harm away.
`exchange` is one scope of a node, with all of it; `merging` and `predictions` are its two halves.
Nothing here knows of nodes, links or clocks: the learning twin calls it.

The door of this room.
"""

from ..gossip_names import AUTO, EXPERTS, GATES, LEVELS, MODEL_OPERATORS, PREDICTION_OPERATORS
from .clipping import NormLimits
from .ensemble import Ensemble, combined
from .exchange import Exchange
from .forecast import ForecastMessage
from .gate import Gate
from .incoming import Incoming, Share
from .message import DOES_NOT_FIT, MOST_BYTES, Message, Piece
from .operators import OPERATORS, Contribution, metropolis, weights
from .outgoing import Outgoing
from .packet import Refused
from .profile import Profile
from .settings import ExchangeSettings

__all__ = [
    "AUTO",
    "DOES_NOT_FIT",
    "EXPERTS",
    "GATES",
    "LEVELS",
    "MODEL_OPERATORS",
    "MOST_BYTES",
    "OPERATORS",
    "PREDICTION_OPERATORS",
    "Contribution",
    "Ensemble",
    "Exchange",
    "ExchangeSettings",
    "ForecastMessage",
    "Gate",
    "Incoming",
    "Message",
    "NormLimits",
    "Outgoing",
    "Piece",
    "Profile",
    "Refused",
    "Share",
    "combined",
    "metropolis",
    "weights",
]
