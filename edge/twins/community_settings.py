"""The section `[community]` of a configuration: what its members agreed on (thesis 7.1, 7.4, 7.6, 7.7).

Its keys are the salient attributes of a community. They may stand in one file for all members, its profile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from ..option import OneOf, Within

_COARSE_W = 100.0
FLEXIBILITY = {"normal": 1.0, "holiday": 1.5, "shortage": 2.0}  # by which a quota is multiplied (thesis 7.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunitySettings:
    """The rules of the community: what credits lead to, how they come about, quotas. Equal at all members."""

    profile: Annotated[
        str, "TOML file with keys of this section that all members share; the section itself comes first"
    ] = ""
    name: Annotated[str, "name of the community"] = ""
    energy_mix: Annotated[
        str, OneOf("any", "green"), "`green`: consumers take power from sun, wind and water first"
    ] = "any"
    connection: Annotated[
        str,
        OneOf("grid", "island"),
        "`island`: consumers accept a part of their need, and suppliers share what there is among all",
    ] = "grid"
    pricing: Annotated[
        str,
        OneOf("own", "fixed", "dynamic"),
        "whether prices rise when little is left; `own`: as each twin says",
    ] = "own"
    sharing_key: Annotated[
        str,
        OneOf("static", "dynamic", "capped", "hourly", "virtual"),
        "how the community divides what it shares, in its statements",
    ] = "dynamic"
    data: Annotated[
        str,
        OneOf("open", "exact", "coarse", "none"),
        "what others see of the total of this node: all, powers to 100 W, or nothing; `open`: all, and the "
        "`category` of the devices that request power",
    ] = "exact"
    comparison: Annotated[
        str, OneOf("none", "anonymous"), "whether `GET /community` compares a member with the mean of all"
    ] = "anonymous"
    emergency: Annotated[
        str,
        OneOf("critical", "equal"),
        "in a shortage: requests of high priority interrupt others, or all are equal",
    ] = "critical"
    management: Annotated[
        str, OneOf("internal", "external"), "who runs it: its members, or a company; shown only"
    ] = "internal"
    grid_operator: Annotated[
        str,
        "twin of kind `dso`, as node.twin, whose tariff pays for what suppliers of this node feed in without "
        "a contract; empty: nobody pays",
    ] = ""
    response: Annotated[
        str,
        OneOf("none", "exclude", "price", "place"),
        "what a supplier does with the credit of a consumer: nothing; refuse one whose credit is below "
        "`tolerance_wh`; give a discount or take a surcharge; serve it after the others",
    ] = "none"
    tolerance_wh: Annotated[float, Within(0, 1e6), "a credit is negative below minus so much, in Wh"] = 0.1
    spread_s: Annotated[
        float, Within(60, 86400), "a discount or surcharge is spread over the energy of so many seconds"
    ] = 900.0
    supply_weight: Annotated[float, Within(0, 100), "weight of the score of supplies"] = 1.0
    withheld_weight: Annotated[
        float, Within(0, 100), "weight of what was withheld from others, within the score of supplies"
    ] = 1.0
    consumption_weight: Annotated[float, Within(0, 100), "weight of the score of consumption"] = 1.0
    equity_weight: Annotated[float, Within(0, 100), "weight of the score of equity"] = 1.0
    green_weight: Annotated[float, Within(0, 100), "weight of the score of green consumption"] = 1.0
    newcomer_wh: Annotated[float, Within(0, 1e6), "credit of a new member for its first hour, in Wh"] = 0.0
    threshold_w: Annotated[
        float, Within(0, 1e9), "most that all members together should draw; 0: what is produced"
    ] = 0.0
    flexibility: Annotated[
        str, OneOf(*FLEXIBILITY), "quotas are raised by half on holidays, doubled in a shortage"
    ] = "normal"
    base_w: Annotated[float, Within(0, 1e6), "part of the quota that every household has"] = 100.0
    person_w: Annotated[float, Within(0, 1e6), "part of the quota for each person"] = 80.0
    m2_w: Annotated[float, Within(0, 1e4), "part of the quota for each square metre"] = 1.0

    @property
    def weights(self) -> tuple[float, float, float, float]:
        """Of the scores of supply, consumption, equity and green consumption."""
        return self.supply_weight, self.consumption_weight, self.equity_weight, self.green_weight

    def quota_w(self, people: int, floor_m2: float) -> float | None:
        """What a household of so many people may draw when power is short; None without people."""
        if not people:
            return None
        fair_w = self.base_w + self.person_w * people + self.m2_w * floor_m2
        return FLEXIBILITY[self.flexibility] * fair_w


def shown_total(
    powers_w: Sequence[float] | None, community: CommunitySettings | None
) -> tuple[float, ...] | None:
    """The total of a node as other members may see it, in W."""
    if powers_w is None or (community and community.data == "none"):
        return None
    if community and community.data == "coarse":
        return tuple(_COARSE_W * round(power_w / _COARSE_W) for power_w in powers_w)
    return tuple(powers_w)
