"""What the pages are tried with has the shape of what a node answers."""

import json

import pytest
from answer_schema import faults

from edge.api.route import V1
from edge.api.routes import ROUTES
from host_tools.page.screens import MOMENT_S
from host_tools.page.world import World

PERIOD = {"from": "2026-06-19T10:00Z", "to": "2026-06-19T13:00Z"}
ANSWERS = {
    "/energy": lambda world: world.energy(PERIOD),
    "/offers": lambda world: world.offers({}),
    "/forecasts": lambda world: world.forecasts(PERIOD),
    "/gossip": lambda world: world.gossip(),
    "/series": lambda world: world.series({**PERIOD, "step": "15"}),
    "/predictions": lambda world: world.predictions({"scope": "node"}),
    "/events": lambda world: world.events({}),
    "/microgrid": lambda world: world.microgrid(),
    "/models": lambda world: world.models({}),
    "/statistics": lambda world: world.statistics({}),
    "/replay": lambda world: world.replay({**PERIOD, "step": "15", "watts": "yes"}),
    "/community": lambda world: world.community(),
    "/limits": lambda world: world.limits(),
    "/orders": lambda world: world.orders({}),
    "/statement": lambda world: world.statement({}),
    "/configuration": lambda world: world.configuration(),
}


@pytest.mark.parametrize("troubles", [False, True])
@pytest.mark.parametrize("path", ANSWERS)
def test_an_answer_of_the_stand_in_is_what_the_route_says(path, troubles):
    world = World(twins=8, nodes=4, now_s=MOMENT_S, troubles=troubles)
    (route,) = (each for each in ROUTES if (each.method, each.path) == ("GET", V1 + path))
    answer = json.loads(json.dumps(ANSWERS[path](world)))
    assert answer
    assert faults(answer, route.answer) == []
