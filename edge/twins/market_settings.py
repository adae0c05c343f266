"""The sections `[market]` and `[trader]` of a configuration: the market of the next day (thesis 8.2.3)."""

from dataclasses import dataclass
from typing import Annotated

from ..energy.market_place import Rules
from ..option import Matching, Within
from ..terms import NODE_NAME

DAY_MIN = 1440


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSettings:
    """The market of the next day, at one node of a microgrid: it takes orders, clears and settles. Its days
    are those of UTC."""

    import_price: Annotated[float, Within(-1e4, 1e4), "tariff of the grid per kWh for import"]
    feed_in_price: Annotated[float, Within(-1e4, 1e4), "what the grid pays per kWh; below `import_price`"]
    gate_hour: Annotated[
        float, Within(0, 24), "hour (UTC) of the day before, at which orders for a day close"
    ] = 11.0
    settle_hours: Annotated[
        float,
        Within(0.5, 24),
        "hours after a day at which it is settled, though not all members have said what they measured",
    ] = 6.0
    members: Annotated[
        int, Within(2, 256), "members at most; each takes about 10 kB a day, for four days"
    ] = 64
    member_w: Annotated[float, Within(1, 1e7), "most power of one member in an order"] = 50_000.0
    prices_from: Annotated[
        str,
        "CSV or JSON file, or http address, of prices per MWh by the hour or quarter-hour, which hold; the "
        "operator trades what is left over; empty: orders are cleared at one price",
    ] = ""

    @property
    def rules(self) -> Rules:
        """The same for the place where it is held."""
        return Rules(
            members=self.members,
            member_w=self.member_w,
            gate_s=3600 * self.gate_hour,
            settle_s=3600 * self.settle_hours,
            short=self.import_price,
            long=self.feed_in_price,
            priced=bool(self.prices_from),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderSettings:
    """This node trades on a market of the next day, by a forecast of what it will need. That takes a model of
    the node in `[learning]`."""

    market: Annotated[
        str, Matching(NODE_NAME, "the name of a node"), "node of the market; it has a section `[market]`"
    ]
    lead_min: Annotated[int, Within(5, DAY_MIN), "minutes before orders close, from which on it orders"] = 60
