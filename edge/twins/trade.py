"""How a twin trades: the settings of its consumer and its supplier, from those of the twin."""

import random
from typing import TYPE_CHECKING

from ..energy.consumer import ConsumerSettings
from ..energy.offering import SupplierSettings
from ..energy.rules import MERGE_S, MERGE_SOON_S
from .settings import TwinSettings

if TYPE_CHECKING:
    from ..energy.conditions import Conditions
    from .haggling import Haggling
    from .trading import TradingTwin
    from .twin import Home

_PROPERTIES = 10  # of one LSA (thesis 5.1)
_BESIDE_OFFERS = {
    "all": 1,
    "supplier": 2,
    "consumer": 2,
}  # events; confirmations and one more; request, contracts


def consumer_settings(settings: TwinSettings, home: "Home") -> ConsumerSettings:
    """How it requests power."""
    return ConsumerSettings(
        priority=settings.priority,
        partial=settings.partial,
        tolerance_s=settings.tolerance_s,
        contract_s=settings.contract_s,
        offers=4 * settings.offers,
        request_hops=home.request_hops,
        merge_s=MERGE_SOON_S if settings.kind == "holon" else MERGE_S,
        passes_on=settings.kind == "holon",
    )


def supplier_settings(settings: TwinSettings, home: "Home") -> SupplierSettings:
    """How it offers power. Offers that find no room in the LSA would block power without being seen."""
    room = _PROPERTIES - _BESIDE_OFFERS["all"] - _BESIDE_OFFERS["supplier"]
    room -= _BESIDE_OFFERS["consumer"] if settings.consumes else 0
    room -= settings.other_properties
    conditions = _conditions(settings, home)
    room -= 0 if conditions is None else 1  # what it has left
    return SupplierSettings(
        impact=settings.environmental_impact,
        price=settings.price,
        promises=settings.promises,
        offers=min(room, settings.offers),
        conditions=conditions,
    )


def haggling_of(twin: "TradingTwin") -> "Haggling | None":
    """Only twins that negotiate prices pay for the module."""
    if not twin.settings.bargain_rounds:
        return None
    from .haggling import Haggling

    return Haggling(twin)


def _conditions(settings: TwinSettings, home: "Home") -> "Conditions | None":
    """Only twins with a table of prices, or in a community, pay for the module."""
    community = home.community
    if not settings.supplies or not (settings.has_tariff or community or settings.giving != "all"):
        return None
    from ..energy.conditions import Conditions, Response
    from ..energy.giving import GIVING
    from ..energy.tariff import DayAhead, Tariff

    response = giving = None
    if community:
        response = Response(
            kind=community.response, tolerance_wh=community.tolerance_wh, spread_s=community.spread_s
        )
    if settings.giving != "all":
        giving = GIVING[settings.giving](random.Random(f"{home.node}/{settings.name}"))
    wall_s = home.clock.wall_s
    dynamic = settings.pricing == "dynamic"
    tariff = Tariff(settings.schedule, dynamic)
    if settings.prices_from:
        source = home.prices(settings.prices_from)
        tariff = DayAhead(
            settings.schedule, dynamic, lambda: source.prices, settings.price_factor, settings.price_markup
        )
    return Conditions(
        tariff,
        settings.environmental_impact,
        wall_s,
        lambda: home.zone.civil_s(wall_s()) - wall_s(),
        home.credits,
        response,
        giving,
        f"{home.node}.{settings.name}",
        settings.promises,
    )
