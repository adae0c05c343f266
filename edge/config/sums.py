"""Finds power that a node would count twice: one meter input in two twins, or a meter behind another one.

A `house` counts the load that it derives, not what its meters show; a `grid` connection only shows what
flows. So both may share inputs with other twins, but with the same sign.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from ..twins.settings import TwinSettings
from .learning import Complain

_WHOLE = ("building", "house")  # their load is that of everything behind the meter at the grid
_TOTAL = "total"


def check_sums(twins: Sequence[TwinSettings], complain: Complain) -> None:
    """Complain about what is counted twice."""
    counted: list[tuple[str, str, TwinSettings]] = []
    for i, twin in enumerate(twins):
        for key, name in _counted(twin):
            for _, other_name, other in counted:
                if other is not twin and _overlap(name, other_name) and _alike(twin, other):
                    shared = f"`{other_name}`" if other_name != name else "it"
                    complain(f"twin[{i}].{key}", name, f"twin `{other.name}` counts {shared} already")
                    break
            counted.append((key, name, twin))
        own = [name for name in (twin.input, twin.production_input, twin.battery_input) if name]
        if any(_overlap(one, other) for one, other in combinations(own, 2)):
            complain(f"twin[{i}].input", twin.input, "is given twice; each direction has an input of its own")
    _check_signs(twins, complain)
    _check_behind(twins, complain)


def _counted(twin: TwinSettings) -> Iterator[tuple[str, str]]:
    """Key and name of the inputs whose power the twin adds to the sums of its node."""
    if twin.kind == "house":
        return
    for key in ("input", "production_input"):
        if name := getattr(twin, key):
            yield key, name


def _alike(one: TwinSettings, other: TwinSettings) -> bool:
    """Whether both are connections to the grid, or neither: what flows there is a sum of its own."""
    return one.is_grid == other.is_grid


def _check_signs(twins: Sequence[TwinSettings], complain: Complain) -> None:
    """An input has one sign: in all kinds, positive means the same at the same meter."""
    signs: dict[str, tuple[int, str]] = {}
    for i, twin in enumerate(twins):
        for name, sign in twin.inputs.items():
            known, first = signs.setdefault(name, (sign, twin.name))
            if known != sign:
                complain(f"twin[{i}].sign", sign, f"twin `{first}` gives `{name}` the sign {known}")


def _overlap(one: str, other: str) -> bool:
    """Whether two inputs are the same, or one is a phase of the other."""
    (meter, _, line), (other_meter, _, other_line) = one.partition("."), other.partition(".")
    return meter == other_meter and (line == other_line or _TOTAL in (line, other_line))


def _check_behind(twins: Sequence[TwinSettings], complain: Complain) -> None:
    """A building is counted at its meter, so nothing behind that meter may be counted again.

    A house adds photovoltaics and battery to what its meter shows, so they may have twins of their own.
    """
    for (i, one), (j, other) in combinations(enumerate(twins), 2):
        for at, whole, part in ((j, one, other), (i, other, one)):
            if whole.kind not in _WHOLE or not whole.input or part.is_grid or part.connection == "own":
                continue
            if whole.connection == "own" or (whole.kind == "house" and part.kind in ("pv", "battery")):
                continue
            complain(
                f"twin[{at}].kind",
                part.kind,
                f"`{whole.name}` counts it already, if it is behind its meter; otherwise set "
                'connection = "own"' + _HINT.get((whole.kind, part.kind), ""),
            )
            break


_HINT = dict.fromkeys(
    (("building", "pv"), ("building", "battery")),
    "; a meter at the grid beside one at the photovoltaics is kind `house`",
)
