"""Gossip of models and predictions among neighbours, as pure functions and classes (thesis chapter 6).

`message` is what travels; `outgoing` and `incoming` turn parts of models into pieces of it and back.
`operators` weigh the contributions, `ensemble` combines predictions, `clipping` and `gate` keep harm away.
`exchange` is one scope of a node, with all of it; `merging` and `predictions` are its two halves.
Nothing here knows of nodes, links or clocks: the learning twin calls it.

The door of this room.
"""

from .clipping import NormLimits
from .ensemble import Ensemble, combined
from .exchange import Exchange
from .forecast import ForecastMessage
from .gate import Gate
from .incoming import Incoming, Share
from .message import MOST_BYTES, Message, Piece, Refused
from .operators import MODEL_OPERATORS, OPERATORS, PREDICTION_OPERATORS, Contribution, metropolis, weights
from .outgoing import Outgoing
from .profile import LEVELS, Profile
from .settings import AUTO, EXPERTS, GATES, ExchangeSettings

__all__ = [
    "AUTO",
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
