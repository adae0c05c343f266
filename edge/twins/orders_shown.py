"""The orders that the regulator shows in its LSA, each for its life (thesis 5.2.2.6)."""

from ..energy.orders import LIFE_S, Deed, Order, OrderKind, encode_orders
from ..energy.rules import WARNING
from ..space.agent import Agent
from ..space.lsa import HERE


class OrdersShown:
    """At most one for each twin and reason."""

    def __init__(self, agent: Agent) -> None:
        self.count = 0  # of all orders given
        self._agent = agent
        self._live: list[tuple[Order, float]] = []  # and until when
        self._shown = b""

    def give(
        self,
        now_s: float,
        kind: OrderKind,
        deed: Deed,
        twin: str,
        power_w: float = 0.0,
        for_s: float = 0.0,
    ) -> None:
        """An order that differs from the one that the twin has for the same reason replaces it."""
        same = [order for order, _ in self._live if (order.twin, order.kind) == (twin, kind)]
        self.count += 1
        order = Order(number=self.count, kind=kind, deed=deed, twin=twin, power_w=power_w, for_s=for_s)
        self._live = [each for each in self._live if each[0] not in same]
        self._live.append((order, now_s + LIFE_S[kind]))

    def lives(self, kind: OrderKind, twin: str) -> bool:
        """Whether the twin has an order to stop for that reason now."""
        return any((o.twin, o.kind, o.deed) == (twin, kind, Deed.STOP) for o, _ in self._live)

    def publish(self, now_s: float) -> None:
        """Show what lives."""
        self._live = [each for each in self._live if now_s < each[1]]
        value = encode_orders([order for order, _ in self._live]) if self._live else b""
        if value == self._shown or not self._agent.handle:
            return
        self._shown = value
        if value:
            self._agent.submit(WARNING, value, life_s=max(LIFE_S.values()) + 1, reach=HERE)
        else:
            self._agent.withdraw(WARNING)

    def forget_shown(self) -> None:
        """The LSA has left the space."""
        self._shown = b""
