"""The routes of a node's HTTP interface. A new one is one entry here and the view that it names.

From this table come the dispatch of requests, the reading of parameters, the refusals and `docs/api.md`.
The schema of an answer is the type that its view returns.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from ..terms import SCOPES
from .context import Context, Service, Unavailable
from .forecasts import MOST_SCORED_DAYS, forecasts, learning, predictions, scores
from .gossip import gossip
from .health import health
from .long import Long
from .meters import meters
from .node import contracts, overview, twins
from .parameters import BadRequest, Choice, Minute, Number, Parameter, read_query


@dataclass(frozen=True, slots=True)
class Route:
    """One path. The view is given the context, then the values of the parameters in their order.

    A view `on_node` reads the node and runs in the main thread; any other runs in the thread of the
    request, where it may take its time, for example to read the history.
    """

    method: str
    path: str
    view: Callable[..., Any]
    meaning: str
    parameters: tuple[Parameter, ...] = ()
    on_node: bool = True

    @property
    def answer(self) -> Any:
        """The schema of its answer: a TypedDict, or a type made of those."""
        return self.view.__annotations__["return"]


ROUTES = (
    Route("GET", "/health", health, "whether the node is well, its troubles, and its counters"),
    Route("GET", "/node", overview, "the six variables of the node, its neighbours, the use of its space"),
    Route("GET", "/twins", twins, "every prosumer twin: its powers and the state of its requests"),
    Route("GET", "/meters", meters, "every meter: the power of each input, and its newest full record"),
    Route("GET", "/contracts", contracts, "contracts of local consumers, promises of local suppliers"),
    Route("GET", "/learning", learning, "the models of each scope, their trainings, and the history file"),
    Route(
        "GET",
        "/gossip",
        gossip,
        "what each scope exchanges with neighbours: messages, merges, contributors, weights, and the gain",
    ),
    Route(
        "GET",
        "/predictions",
        predictions,
        "the newest predictions; with `from` and `to` those of a period, beside the states measured later",
        (
            Choice(
                "scope",
                "whose predictions; by default of both, of a period those of the node",
                None,
                SCOPES,
            ),
            Minute("from", "first minute after which a prediction was made"),
            Minute("to", "last one; less than a day after `from`"),
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/forecasts",
        forecasts,
        "forecasts in watts of the last day or of a period, one each quarter of an hour, beside the powers "
        "measured later",
        (
            Choice("scope", "whose forecasts", "node", SCOPES),
            Minute("from", "first minute after which a forecast was made"),
            Minute("to", "last one; less than a day after `from`"),
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/scores",
        scores,
        "how good each model and the forecasts in watts were, beside persistence and the most frequent state",
        (
            Choice("scope", "whose predictions are scored", "node", SCOPES),
            Number("days", "length of the period that ends now", "7", above=0, most=MOST_SCORED_DAYS),
        ),
        on_node=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: status, content (sent as JSON), and with 405 the methods that are allowed."""

    status: int
    content: Any
    allow: str = ""
    long: Generator[bytes, None, None] | None = None  # in place of content, made while it is sent
    first: bytes = b""  # piece of it

    def pieces(self) -> Iterator[bytes]:
        """The JSON text."""
        if self.long:
            return chain([self.first], self.long)
        return iter([orjson.dumps(self.content, option=orjson.OPT_NON_STR_KEYS)])

    def close(self) -> None:
        """End the work on an answer that nobody waits for any more."""
        if self.long:
            with suppress(Exception):
                self.long.close()


class Api:
    """Answers requests from the table."""

    def __init__(self, service: Service, release: str = "", routes: Sequence[Route] = ROUTES) -> None:
        self._context = Context(service, release)
        self._making_long = threading.Lock()  # they take memory and time, so one at a time
        self._routes: dict[str, dict[str, Route]] = {}  # by path and method
        for route in routes:
            self._routes.setdefault(route.path, {})[route.method] = route

    def answer(self, method: str, target: str) -> Answer:
        """Answer a request for `target`, a path with parameters; called from any thread."""
        path, _, query = target.partition("?")
        methods = self._routes.get(path)
        if methods is None:
            return Answer(404, {"error": "no such path", "paths": list(self._routes)})
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allow = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
            return Answer(405, {"error": f"{method} is not allowed; {path} allows {allow}"}, allow)
        try:
            content = self._view(route, read_query(query, route.parameters))
            if isinstance(content, Long):
                pieces = self._alone(content)
                return Answer(200, None, long=pieces, first=next(pieces))
            return Answer(200, content)
        except BadRequest as error:
            return Answer(400, {"error": str(error)})
        except Unavailable as error:
            return Answer(503, {"error": str(error)})
        except Exception as error:  # the client must learn that the node is not well
            return Answer(503, {"error": f"the node failed to answer: {error} ({type(error).__name__})"})

    def _alone(self, content: Long[Any]) -> Generator[bytes, None, None]:
        if not self._making_long.acquire(blocking=False):
            raise Unavailable("another long answer is being made, ask again later")
        try:
            yield from content.pieces
        finally:
            self._making_long.release()

    def _view(self, route: Route, values: Sequence[Any]) -> Any:
        if route.on_node:
            return self._context.service.ask(lambda _: route.view(self._context, *values))
        return route.view(self._context, *values)
