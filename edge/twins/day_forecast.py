"""The orders of a node for the next day, from what its learning twin knows of past days (thesis 8.2.3).

Only a node that learns imports this: it brings numpy.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from ..energy.day_market import STEP_S
from ..energy.day_messages import Pieces
from ..energy.day_orders import orders_of
from ..energy.market_place import orders_rows
from ..learn.next_day import NextDay
from ..learn.terms import LEVELS
from .twin import Home

if TYPE_CHECKING:
    from .learning import LearningTwin

_WH_PER_W = STEP_S / 3600


def day_orders(home: Home, begin: int, short: float, long: float) -> Iterator[Pieces | None] | None:
    """The orders of the 96 steps from the minute `begin` on, after a piece of work (None) for each; None
    while nothing has been learnt."""
    found = [cast("LearningTwin", twin) for twin in home.twins() if twin.kind == "learning"]
    scope = found[0].scopes.get("node") if found else None
    last = None if scope is None or not scope.ready else scope.learner.series.last_minute
    if scope is None or last is None:
        return None
    learner = scope.learner
    ahead = NextDay(learner.settings.calendar, learner.settings.weather)

    def work() -> Iterator[Pieces | None]:
        for _ in ahead.work(last, begin, learner.series):
            yield None
        needs_wh = (ahead.needs_w * _WH_PER_W).tolist()
        yield from orders_rows([list(orders_of(home.node, row, LEVELS, short, long)) for row in needs_wh])

    return work()
