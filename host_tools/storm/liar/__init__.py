"""One lying member of a storm: a real node with its own keys that says what a grammar of lies tells it to.

Its twins are honest, so that lies have something to contradict. What it says beside the truth is drawn from
`grammar`: made and signed by `mouth`, done to what it passes on by `relay`, and traded by `energy`. About the
market of the next day, negotiations and gates it is made by `words` and said by `false_twin` and `claims`.
"""

from .grammar import FAMILIES, Lie, draw_lie
from .member import Liar

__all__ = ["FAMILIES", "Liar", "Lie", "draw_lie"]
