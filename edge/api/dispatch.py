"""From a request to its answer, by the table of routes.

The order of the checks: path, method, access, body, parameters; then the view is asked.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import unquote

from .access import Access, Caller
from .answer import Answer, Problem, Reply, problem
from .body import read_body
from .context import Context, Service, Unavailable
from .long import Long
from .parameters import BadRequest, read_query, read_segments
from .route import V1, Route
from .routes import ROUTES
from .stream import Stream

# until the next version but one; `/health` stays, since watchdogs ask for it
OLD_PATHS = ("/node", "/twins", "/meters", "/contracts", "/learning", "/predictions", "/scores")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says besides method and target."""

    caller: Caller = field(default_factory=Caller)
    accept: str = ""
    media: str = ""  # of the body
    read: Callable[[], bytes] = bytes  # the body; raises Problem
    last_event: str = ""  # that a client of the stream has seen
    has_body: bool = False


class Api:
    """Answers requests from the table."""

    def __init__(
        self,
        service: Service,
        release: str = "",
        routes: Sequence[Route] = ROUTES,
        access: Access | None = None,
    ) -> None:
        """Without `access` nobody can log in."""
        self.access = access or Access()
        self.context = Context(service, release, self.access, routes=routes)
        self._making_long = threading.Lock()  # they take memory and time, so one at a time
        self._fixed: dict[str, dict[str, Route]] = {}  # by path and method
        self._open: dict[str, dict[str, Route]] = {}  # the same with segments
        for route in routes:
            table = self._open if route.segments else self._fixed
            table.setdefault(route.path, {})[route.method] = route

    def answer(self, method: str, target: str, asked: Asked | None = None) -> Answer:
        """Answer a request for `target`, a path with parameters; called from any thread."""
        path, _, query = target.partition("?")
        methods, segments = self._find(path)
        if methods is None:
            return self._nowhere(path, query)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allow = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
            return problem(405, f"{method} is not allowed; {path} allows {allow}", allow=allow)
        try:
            return self._answer(route, segments, query, asked or Asked())
        except Problem as found:
            return found.answer
        except BadRequest as error:
            return problem(400, str(error), more=error.about)
        except Unavailable as error:
            return problem(503, str(error))
        except Exception as error:  # the client must learn that the node is not well
            return problem(503, f"the node failed to answer: {error} ({type(error).__name__})")

    def _find(self, path: str) -> tuple[dict[str, Route] | None, list[str]]:
        """The routes of a path by method, and the values of its segments."""
        if path in self._fixed:
            return self._fixed[path], []
        parts = path.split("/")
        for pattern, methods in self._open.items():
            expected = pattern.split("/")
            if len(expected) == len(parts) and all(
                each == part or (each.startswith("{") and part)
                for each, part in zip(expected, parts, strict=True)
            ):
                pairs = zip(expected, parts, strict=True)
                return methods, [unquote(part) for each, part in pairs if each.startswith("{")]
        return None, []

    def _nowhere(self, path: str, query: str) -> Answer:
        if path in OLD_PATHS and V1 + path in self._fixed:
            target = f"{V1}{path}{'?' if query else ''}{query}"
            return problem(308, f"it is {target} now", headers=(("Location", target),))
        return problem(404, "no such path", more={"paths": [*self._fixed, *self._open]})

    def _answer(self, route: Route, segments: list[str], query: str, asked: Asked) -> Answer:
        if asked.has_body and route.method == "GET":
            raise Problem(413, "this path takes no body")
        self.access.check(asked.caller, route.scope, route.for_members)
        values = [
            *read_segments(segments, route.segments),
            *read_query(_with_format(query, route, asked.accept), route.parameters),
        ]
        if route.body is not None:
            values.append(read_body(asked.read, asked.media, route.body, route.patch))
        context = replace(self.context, caller=asked.caller, last_event=asked.last_event)
        return self._answered(self._view(route, context, values))

    def _answered(self, content: Any) -> Answer:
        if isinstance(content, Stream):
            return Answer(200, content, media="text/event-stream", stream=True)
        if isinstance(content, Reply):
            return Answer(content.status, content.content, media=content.media, headers=content.headers)
        if isinstance(content, Long):
            pieces = self._alone(content)
            return Answer(200, None, long=pieces, first=next(pieces), media=content.media)
        return Answer(200, content)

    def _alone(self, content: Long[Any]) -> Generator[bytes, None, None]:
        if not self._making_long.acquire(blocking=False):
            raise Unavailable("another long answer is being made, ask again later")
        try:
            yield from content.pieces
        finally:
            self._making_long.release()

    def _view(self, route: Route, context: Context, values: Sequence[Any]) -> Any:
        view = partial(route.view, context, *values)
        return context.service.ask(lambda _: view()) if route.on_node else view()


def _with_format(query: str, route: Route, accept: str) -> str:
    """A client that accepts only CSV need not say so twice."""
    takes = any(each.name == "format" for each in route.parameters)
    if takes and accept.strip().startswith("text/csv") and "format=" not in query:
        return f"{query}{'&' if query else ''}format=csv"
    return query
