"""docs/api.md: its reference is that of the code, and its examples ask for what there is."""

import re
from dataclasses import replace

import orjson
import pytest
from asked_node import AskedNode

from edge.api.dispatch import Api
from edge.api.routes import ROUTES
from host_tools.api_page import PAGE, reference, with_reference


def test_the_page_is_current():
    assert with_reference(PAGE.read_text()) == PAGE.read_text(), "run python -m host_tools.api_page"


def test_the_reference_has_every_route_and_parameter():
    text = reference()
    for route in ROUTES:
        assert f"## {route.method} {route.path}\n" in text
        assert all(f"| `{each.name}` | {each.expected} |" in text for each in route.parameters)


EXAMPLES = re.findall(r"\$ curl (?:-X (\w+) )?'?http://127.0.0.1:8080([^'\s]+)'?\n    (.*)", PAGE.read_text())


@pytest.mark.parametrize(("method", "target", "answer"), EXAMPLES)
def test_examples_are_answered_as_they_say(method, target, answer):
    def view(source, *values) -> None:
        return None

    routes = [replace(each, view=view, on_node=False) for each in ROUTES]
    found = Api(AskedNode(), routes=routes).answer(method or "GET", target)
    if '"status":4' in answer:
        assert orjson.dumps(found.content).decode() == answer
    else:
        assert found.status == 200


def test_there_are_examples_of_most_routes():
    asked = {target.partition("?")[0] for _, target, _ in EXAMPLES}
    assert len(asked) >= 5
