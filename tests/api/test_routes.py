"""The route table: what is dispatched, which parameters are read, what is refused and how."""

import inspect

import pytest
from asked_node import AskedNode

from edge.api.dispatch import Api
from edge.api.parameters import BadRequest, Choice, Minute, Number, read_query
from edge.api.route import Route
from edge.api.routes import ROUTES


def said(source, *values) -> list:
    return list(values)


def refuse(source):
    raise BadRequest("day = x: expected a day")


def fail(source):
    raise RuntimeError("no answer")


PARAMETERS = (
    Choice("scope", "whose", "node", ("node", "cluster")),
    Minute("from", "when"),
    Number("days", "how long", "7", above=0, most=100),
)
TABLE = (
    Route("GET", "/said", said, "repeats its parameters", PARAMETERS),
    Route("GET", "/late", said, "the same in the thread of the request", PARAMETERS, on_node=False),
    Route("GET", "/refuse", refuse, "refuses"),
    Route("GET", "/fail", fail, "fails"),
    Route("POST", "/order", said, "takes orders"),
)


class Counting(AskedNode):
    asked = 0

    def ask(self, question):
        self.asked += 1
        return super().ask(question)


@pytest.fixture
def service():
    return Counting()


@pytest.fixture
def api(service):
    return Api(service, routes=TABLE)


@pytest.mark.parametrize("path", ["/said", "/late"])
def test_a_view_is_given_its_parameters_in_the_order_of_the_table(api, path):
    answer = api.answer("GET", f"{path}?days=1.5&from=1970-01-02T00%3A01&scope=cluster")
    assert (answer.status, answer.content) == (200, ["cluster", 1441, 1.5])


@pytest.mark.parametrize(
    "text",
    ["2023-11-14T01:10%2B01:00", "2023-11-14T01:10+01:00", "2023-11-14T00:10Z", "2023-11-13T19:10-05:00"],
)
def test_a_time_with_its_offset_is_a_minute_of_utc(api, text):
    (_, minute, _) = api.answer("GET", f"/said?from={text}").content
    assert minute == 28_332_010
    assert not minute.civil


def test_what_is_left_out_has_its_default_or_none(api):
    assert api.answer("GET", "/said").content == ["node", None, 7.0]


def test_only_a_view_on_the_node_runs_in_the_main_thread(api, service):
    api.answer("GET", "/late")
    assert service.asked == 0
    api.answer("GET", "/said")
    assert service.asked == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("scope=all", ["scope = all", "node or cluster"]),
        ("scope=", ["scope = ", "node or cluster"]),
        ("days=much", ["days = much", "above 0, at most 100"]),
        ("days=0", ["days = 0", "above 0, at most 100"]),
        ("days=101", ["days = 101", "above 0, at most 100"]),
        ("days=nan", ["days = nan", "above 0, at most 100"]),
        ("days=inf", ["days = inf", "above 0, at most 100"]),
        ("from=yesterday", ["from = yesterday", "YYYY-MM-DDTHH:MM"]),
        ("from=2024-01-01T00:00%2B25:00", ["from = 2024-01-01T00:00+25:00", "YYYY-MM-DDTHH:MM"]),
        ("from=2024-01-01T00:00 noon", ["from = 2024-01-01T00:00 noon", "YYYY-MM-DDTHH:MM"]),
        ("from=0000-00-00T00:00", ["from = 0000-00-00T00:00", "YYYY-MM-DDTHH:MM"]),
        ("day=3", ["day = 3", "unknown", "scope, from, days"]),
        ("days=3&days=4", ["days = 4", "more than once"]),
        ("days=" + "9" * 500, ["days = 999", "at most 100"]),
    ],
)
def test_a_parameter_that_is_refused_is_named_with_its_value_and_range(api, query, words):
    answer = api.answer("GET", f"/said?{query}")
    assert answer.status == 400
    assert all(word in answer.content["detail"] for word in words)
    assert len(answer.content["detail"]) < 200


def test_a_path_without_parameters_takes_none(api):
    answer = api.answer("GET", "/fail?x=1")
    assert answer.status == 400
    assert answer.content["detail"] == "x = 1: unknown parameter, this path takes none"
    assert (answer.content["key"], answer.content["value"]) == ("x", "1")


def test_a_view_may_refuse_or_fail(api):
    assert api.answer("GET", "/refuse").status == 400
    assert api.answer("GET", "/refuse").content == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "day = x: expected a day",
    }
    assert api.answer("GET", "/fail").status == 503
    failed = api.answer("GET", "/fail").content
    assert failed["detail"] == "the node failed to answer: no answer (RuntimeError)"


@pytest.mark.parametrize("target", ["/", "", "/../etc/passwd", "/said/", "said"])
def test_an_unknown_path_is_answered_with_those_there_are(api, target):
    answer = api.answer("GET", target)
    assert answer.status == 404
    assert answer.content["paths"] == ["/said", "/late", "/refuse", "/fail", "/order"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("POST", "/said", "GET, HEAD"), ("GET", "/order", "POST"), ("HEAD", "/order", "POST")],
)
def test_a_method_that_a_path_does_not_have_is_told_the_ones_it_has(api, method, path, allow):
    answer = api.answer(method, path)
    assert (answer.status, answer.allow) == (405, allow)
    assert allow in answer.content["detail"]


def test_head_is_answered_as_get(api):
    assert api.answer("HEAD", "/said?days=2") == api.answer("GET", "/said?days=2")


def test_every_view_takes_the_parameters_of_its_route():
    for route in ROUTES:
        takes = inspect.signature(route.view).parameters
        given = len(route.segments) + len(route.parameters) + (route.body is not None)
        assert len(takes) == 1 + given, route.path
        assert route.answer is not inspect.Signature.empty


def test_every_default_is_valid():
    for route in ROUTES:
        read_query("", route.parameters)
