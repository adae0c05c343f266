"""How a twin trades: the settings of its consumer and its supplier, from those of the twin."""

from ..energy.consumer import ConsumerSettings
from ..energy.offering import SupplierSettings
from .settings import TwinSettings

_PROPERTIES = 10  # of one LSA (thesis 5.1)
_BESIDE_OFFERS = {
    "all": 1,
    "supplier": 2,
    "consumer": 2,
}  # events; confirmations and one more; request, contracts


def consumer_settings(settings: TwinSettings) -> ConsumerSettings:
    """How it requests power."""
    return ConsumerSettings(
        priority=settings.priority,
        partial=settings.partial,
        tolerance_s=settings.tolerance_s,
        contract_s=settings.contract_s,
        offers=4 * settings.offers,
    )


def supplier_settings(settings: TwinSettings) -> SupplierSettings:
    """How it offers power. Offers that find no room in the LSA would block power without being seen."""
    room = _PROPERTIES - _BESIDE_OFFERS["all"] - _BESIDE_OFFERS["supplier"]
    room -= _BESIDE_OFFERS["consumer"] if settings.consumes else 0
    room -= settings.storage_properties
    return SupplierSettings(
        impact=settings.environmental_impact,
        price=settings.price,
        promises=settings.promises,
        offers=min(room, settings.offers),
    )
