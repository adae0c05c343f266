"""What a scenario is: a named, seeded way to fill a microgrid with devices (thesis 4.4.5, 4.5.1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.microgrid.plan import BuildingPlan


class ScenarioError(Exception):
    """A scenario cannot be built as asked; the message names key and value."""


@dataclass(frozen=True)
class Parameter:
    """One knob of a scenario. The default's type is the parameter's: bool, int, float or str.

    `least` and `most` bound numbers, both included.
    """

    name: str
    default: Any
    least: float | None = None
    most: float | None = None
    meaning: str = ""

    def read(self, text: str) -> Any:
        """The value a person wrote. Raises ScenarioError."""
        kind = type(self.default)
        try:
            value = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (KeyError, ValueError):
            raise ScenarioError(f"{self.name} = {text!r}: {_KINDS[kind]} expected") from None
        return self.checked(value)

    def checked(self, value: Any) -> Any:
        """The value, when it is within bounds. Raises ScenarioError."""
        low, high = self.least, self.most
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            raise ScenarioError(f"{self.name} = {value!r}: {self.range} expected")
        return value

    @property
    def range(self) -> str:
        """What is allowed, for people."""
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
    """What one run asks of its scenario. `hours` is simulated time; `values` holds every parameter."""

    nodes: tuple[str, ...]
    hours: float
    seed: int
    values: Mapping[str, Any]
    data: Path | None = None
    start: str | None = None


@dataclass(frozen=True)
class Scenario:
    """A kind of microgrid. `build` returns one unconnected plan a node; it may raise ScenarioError.

    `hours` and `nodes` are defaults, `nodes` a topology such as "chain:4"; "data" stands for a chain of as
    many nodes as `build` returns plans (it is then handed no names). `meter_s` is how often meters are read.
    """

    name: str
    title: str
    build: Callable[[Setting], list[BuildingPlan]]
    hours: float = 1.0
    nodes: str = "chain:4"
    parameters: tuple[Parameter, ...] = ()
    meter_s: float = 10.0

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: those given (texts are read), the rest by default. Raises ScenarioError."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            if name not in known:
                names = ", ".join(known) or "none"
                raise ScenarioError(f"{name} = {value!r}: {self.name} has no such parameter, only {names}")
        values = {name: parameter.default for name, parameter in known.items()}
        for name, value in given.items():
            values[name] = known[name].read(value) if isinstance(value, str) else known[name].checked(value)
        return values


_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
