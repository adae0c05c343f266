"""The default model: networks, Markov chains, counts and regressions, pooled by how well each of them does.

The door of this room: its model.
"""

from .mixture import Mixture

__all__ = ["Mixture"]
