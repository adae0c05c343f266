"""A scenario: a named, seeded way to fill a microgrid with devices (thesis 4.4.5, 4.5.1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from host_tools.microgrid.plan import BuildingPlan

from .clock_axis import Begin

if TYPE_CHECKING:
    from edge.node import Node
    from host_tools.world import World

    from .outcome import Outcome


Gates = Sequence[Sequence[tuple[str, str]]]  # of each holon, in the order of succession: see `World.join`


class ScenarioError(Exception):
    """A scenario cannot be built with these values; the message names key and value."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a scenario. Its type is that of the default: bool, int, float or str.

    `least` and `most` are inclusive bounds of numbers.
    """

    name: str
    default: Any
    least: float | None = None
    most: float | None = None
    meaning: str = ""

    def read(self, text: str) -> Any:
        """Parse the value from text. Raises ScenarioError."""
        kind = type(self.default)
        try:
            value = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (KeyError, ValueError):
            raise ScenarioError(f"{self.name} = {text!r}: must be {_KINDS[kind]}") from None
        return self.checked(value)

    def checked(self, value: Any) -> Any:
        """The value, if it is within the bounds. Raises ScenarioError."""
        low, high = self.least, self.most
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            raise ScenarioError(f"{self.name} = {value!r}: the range is {self.range}")
        return value

    @property
    def range(self) -> str:
        """The allowed values as text."""
        if type(self.default) is bool:
            return "true | false"
        low, high = self.least, self.most
        if low is None and high is None:
            return "any"
        if low is None or high is None:
            return f"at most {high:,}" if low is None else f"at least {low:,}"
        return f"{low:,} .. {high:,}"


@dataclass(frozen=True)
class Setting:
    """The input of a scenario for one run. `hours`: simulated time; `values`: all parameters."""

    nodes: tuple[str, ...]
    hours: float
    seed: int
    values: Mapping[str, Any]
    data: Path | None = None
    start: str | None = None


class Watch(Protocol):
    """What a scenario looks at while it runs."""

    def look(self, second: int) -> None:
        """Called each simulated second."""

    def figures(self) -> "list[Figure]":
        """At the end."""


class Figure(NamedTuple):
    """A figure of a run beside what is possible at best and what the thesis reports; None: not known.

    A name that begins with a space is of a part of the figure before it.
    """

    name: str
    unit: str
    ours: float | None
    ideal: float | None = None
    thesis: float | None = None


def no_figures(setting: Setting, outcome: "Outcome", nodes: "Sequence[Node]") -> list[Figure]:
    """Of a scenario that reports nothing of its own."""
    return []


@dataclass(frozen=True)
class Scenario:
    """A kind of microgrid. `build` returns one unconnected plan for each node; it may raise ScenarioError.

    `hours` and `nodes` are defaults. `nodes` is a topology such as "chain:4", or "data": `build` then gets no
    names, and the plans it returns are connected as a chain. `meter_s`: the period at which meters are read.
    `begin`: when a run begins, for the plots. `figures`: what only this scenario reports of a run and its
    nodes (none for real processes), beside the thesis; `watch`: the same, of what it saw meanwhile.
    `gates`: of its holons; its plans are connected then, by themselves. `gathers`: its watch works in several
    processes, each of which sees the nodes of its area.
    """

    name: str
    title: str
    build: Callable[[Setting], list[BuildingPlan]]
    hours: float = 1.0
    nodes: str = "chain:4"
    parameters: tuple[Parameter, ...] = ()
    meter_s: float = 10.0
    figures: "Callable[[Setting, Outcome, Sequence[Node]], list[Figure]]" = no_figures
    begin: Callable[[Setting], Begin] = lambda setting: Begin.hour(setting.values.get("start_hour", 0.0))
    watch: "Callable[[World, Setting], Watch] | None" = None
    gates: Callable[[Setting], Gates] | None = None
    gathers: bool = False

    @property
    def looks_at_nodes(self) -> bool:
        """Whether it reports something of its own, for which all nodes have to be in one process."""
        return self.figures is not no_figures or (self.watch is not None and not self.gathers)

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: the given ones (text is parsed) and defaults. Raises ScenarioError."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            if name not in known:
                names = ", ".join(known) or "none"
                raise ScenarioError(f"{name} = {value!r}: unknown parameter; {self.name} has {names}")
        values = {name: parameter.default for name, parameter in known.items()}
        for name, value in given.items():
            values[name] = known[name].read(value) if isinstance(value, str) else known[name].checked(value)
        return values


_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
