"""How the messages of a negotiation reach the sides of a twin (thesis 8.2.2); see `energy/haggling`."""

from typing import TYPE_CHECKING

from ..energy.haggling import Buying, Counter, Selling, Terms, parse_counter
from ..energy.parsing import lenient
from ..energy.rules import COUNTER
from ..space.agent import Bond
from .addressing import towards
from .posting import Properties

if TYPE_CHECKING:
    from .envelope import Writer
    from .trading import TradingTwin

_LIFE_S = 3
_parse = lenient(parse_counter)


class Haggling:
    """Of one twin that negotiates."""

    def __init__(self, twin: "TradingTwin") -> None:
        self._twin = twin
        self.buying, self.selling = Buying(), Selling()
        self.follow()

    def follow(self) -> None:
        """The settings of the twin, or its consumer, are others."""
        settings = self._twin.settings
        terms = Terms(settings.bargain_rounds, settings.bargain_price, settings.bargain_first)
        self.buying.terms = self.selling.terms = terms
        self._twin.consumer.buying = self.buying

    def hear(self, bond: Bond) -> bool:
        """A consumer bids for an offer of this twin."""
        if bond.withdrawn:
            return False
        twin = self._twin
        data = bond.read(twin.home.reader.whole)
        counter: Counter | None = None if data is None else _parse(data)
        if counter is None:
            twin.refused_messages += 1
            return False
        offer = twin.supplier.book.offer_to(bond.name)
        wall_s = twin.home.clock.wall_s()
        return self.selling.hear(offer, twin.supplier.settings.price, counter, wall_s)

    def show(self, wanted: Properties, writer: "Writer") -> None:
        """Add what it bids."""
        counter, supplier = self.buying.counter, self.buying.supplier
        if counter and self._twin.consumer.request:
            sealed = writer.whole(COUNTER, supplier, counter.encode())
            if sealed is not None:
                hops = self._twin.home.request_hops
                wanted[COUNTER, supplier] = towards(sealed, hops, [supplier], _LIFE_S)
