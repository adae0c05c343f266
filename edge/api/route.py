"""What one route is: from such entries come dispatch, refusals, docs/api.md and the OpenAPI document."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..option import Option
from .parameters import Parameter

V1 = "/api/v1"
ANYBODY, READ, OPERATE, CONFIGURE = "", "read", "operate", "configure"
SCOPES = (READ, OPERATE, CONFIGURE)  # each includes those before it


@dataclass(frozen=True, slots=True)
class Route:
    """One path with one method. The view is given the context, then the values of `segments`, of
    `parameters` and the body, in this order.

    A path has a `{name}` for each of its segments. A view `on_node` reads the node and runs in the main
    thread; any other runs in the thread of the request, where it may take its time, for example to read the
    history. A view `for_members` shows a member only its own twins, and lets it change only these. `body`:
    the keys of the JSON object that the route takes, None if it takes none; of a `patch` none is required.
    """

    method: str
    path: str
    view: Callable[..., Any]
    meaning: str
    parameters: tuple[Parameter, ...] = ()
    on_node: bool = True
    segments: tuple[Parameter, ...] = ()
    body: tuple[Option, ...] | None = None
    patch: bool = False
    scope: str = READ
    for_members: bool = False
    media: str = "application/json"

    @property
    def answer(self) -> Any:
        """The schema of its answer: a TypedDict, or a type made of those."""
        return self.view.__annotations__["return"]


def versioned(*routes: Route) -> Iterable[Route]:
    """The same routes below the path of this version of the interface."""
    return (replace(route, path=V1 + route.path) for route in routes)
