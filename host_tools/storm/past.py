"""Gives members of the market of the next day a past: two days in which nothing changed. So they order."""

import numpy as np

from edge.twins.learning import LearningTwin

from ..world import World, WorldNode

_DAY_MIN = 1440
_DAYS = 2
_LOOK_S = 0.05  # so early, since a trader that knows nothing looks again after a minute
_POWERS_W = ((0.0, 800.0), (500.0, 0.0))  # drawn and given


def remember(world: World, node: WorldNode, place: int) -> None:
    """Whenever this node boots and knows nothing, it gets to know that past. At even places of the
    members it gives."""

    def look() -> None:
        if not node.alive:
            return
        for twin in node.node.twins:
            scope = twin.scopes.get("node") if isinstance(twin, LearningTwin) else None
            if scope is None:
                continue
            if not scope.ready:
                world.after(_LOOK_S, look)
            elif scope.learner.series.last_minute is None:
                line = np.array([*_POWERS_W[place % 2], 0, 0, 0, 0], np.float32)
                last = int(node.clock.wall_s()) // 60
                for minute in range(last - _DAYS * _DAY_MIN, last):
                    scope.learner.series.append(minute, line)

    node.booted.append(lambda: world.after(_LOOK_S, look))
