"""The dashboard in a real browser: its size, and how long it takes to be ready and to draw a day."""

from collections.abc import Iterator
from typing import Any

from .sheet import Part, Sheet


def measure() -> dict[str, Any]:
    """The figures, or why there are none: the browser and what drives it are for developers."""
    try:
        from host_tools.page import measure
        from host_tools.page.browser import NoBrowser
    except ImportError as error:
        return {"not_measured": str(error)}
    try:
        return measure.measure()
    except NoBrowser as error:
        return {"not_measured": str(error)}


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    own = {name: value for name, value in found.items() if name != "rivals"}
    others = {f"the same day, {name}": value for name, value in found.get("rivals", {}).items()}
    rows = [(name, str(value)) for name, value in (own | others).items()]
    yield Sheet(
        "dashboard (aims: 110 kB, own 75 kB, ready in 1 s, a day in 60 ms)", ("figure", "value"), rows
    )


PART = Part("page", lambda folder: measure(), _sheets)
