"""The section `[regulator]` of a configuration, and what its contacts mean."""

from dataclasses import dataclass
from typing import Annotated

from ..energy.limits import GUARANTEED_W, Direction
from ..energy.orders import CHOICES
from ..option import OneOf, Within

NONE_W = -1.0  # no such limit
CONTACTS = ("w3_input", "s2_input", "s1_input")  # the first that is closed holds
FEED_IN_SHARES = (0.0, 0.3, 0.6)  # of the installed power
INPUTS = (
    "connection_input",
    *CONTACTS,
    "w4_input",
    "consume_input",
    "feed_in_input",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulatorSettings:
    """The regulator twin: it keeps the node below its thresholds and obeys external limits."""

    max_produced_w: Annotated[
        float, Within(0, 1e9), "production of the node that must not be exceeded; 0: learning.max_power_w"
    ] = 0.0
    max_consumed_w: Annotated[
        float, Within(0, 1e9), "consumption of the node that must not be exceeded; 0: learning.max_power_w"
    ] = 0.0
    policy: Annotated[
        str,
        OneOf(*CHOICES),
        "whom it stops: the largest first, the smallest set that suffices, or the lowest priority first",
    ] = "largest"
    back_s: Annotated[
        float, Within(1, 86400), "how long a stopped twin stays off at least; then it returns if it fits"
    ] = 300.0
    risk: Annotated[
        float,
        Within(0, 1),
        "probability of a predicted excess from which activities are moved; 0: none are moved",
    ] = 0.0
    connection_input: Annotated[
        str, "meter input of the grid connection; empty: that of the twin of kind `grid`, if it has one"
    ] = ""
    connection_sign: Annotated[
        int, OneOf(1, -1), "sign of `connection_input`: with 1 positive means imported"
    ] = 1
    reserve_percent: Annotated[
        float, Within(0, 50), "how far below an external limit the node stays, in percent of the limit"
    ] = 5.0
    guaranteed_w: Annotated[
        float,
        Within(0, 1e6),
        "power that each controllable load keeps under a limit (§ 14a EnWG); of several the sum is reduced",
    ] = GUARANTEED_W
    controller: Annotated[
        str,
        "source of limits that sends heartbeats, such as mqtt:box, contacts, register, or dso:NODE.TWIN for "
        "the twin of a grid operator; without a sign for 120 s the failsafe limits hold, also from the start "
        "to the first order",
    ] = ""
    failsafe_consume_w: Annotated[float, Within(NONE_W, 1e7), "failsafe limit of consumption; -1: none"] = (
        NONE_W
    )
    failsafe_feed_in_w: Annotated[float, Within(NONE_W, 1e7), "failsafe limit of feed-in; -1: none"] = NONE_W
    installed_w: Annotated[
        float, Within(0, 1e9), "installed power of the photovoltaics, of which the contacts mean a share"
    ] = 0.0
    w3_input: Annotated[str, "input of contact W3: no feed-in while it is closed"] = ""
    s2_input: Annotated[str, "input of contact S2: at most 30 % of the installed power"] = ""
    s1_input: Annotated[str, "input of contact S1: at most 60 % of the installed power"] = ""
    w4_input: Annotated[str, "input of contact W4: consumption limited to `w4_w` while it is closed"] = ""
    w4_w: Annotated[float, Within(0, 1e7), "limit of consumption that contact W4 means"] = GUARANTEED_W
    consume_input: Annotated[
        str, "meter input whose value is a limit of consumption in W; a negative one means no limit"
    ] = ""
    feed_in_input: Annotated[str, "the same of feed-in"] = ""
    max_power_w: float = 3000.0  # learning.max_power_w
    cluster_power_w: float = 3000.0  # learning.cluster_max_power_w
    grid_input: str = ""  # of the twin of kind `grid`
    grid_sign: int = 1

    @property
    def produced_w(self) -> float:
        """Threshold of production."""
        return self.max_produced_w or self.max_power_w

    @property
    def consumed_w(self) -> float:
        """Threshold of consumption."""
        return self.max_consumed_w or self.max_power_w

    @property
    def connection(self) -> tuple[str, int]:
        """Meter input of the grid connection and its sign; an empty name if it is not metered."""
        if self.connection_input:
            return self.connection_input, self.connection_sign
        return self.grid_input, self.grid_sign

    @property
    def failsafe_w(self) -> dict[Direction, float]:
        """The failsafe limits that there are."""
        found = {Direction.CONSUME: self.failsafe_consume_w, Direction.FEED_IN: self.failsafe_feed_in_w}
        return {direction: power_w for direction, power_w in found.items() if power_w >= 0}

    @property
    def inputs(self) -> tuple[str, ...]:
        """All inputs that it follows."""
        names = [self.connection[0], *(getattr(self, key) for key in INPUTS[1:])]
        return tuple(dict.fromkeys(name for name in names if name))
