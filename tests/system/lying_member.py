"""A microgrid with a member that lies about energy, for tests and for figures.

The liar is a real node; only the consumers of its twins say what a lie tells them to. So it speaks like any
member, with its own name, and nothing here depends on how messages are encoded.
"""

from collections.abc import Callable

from edge.energy.consumer import Consumer
from edge.energy.messages import Answer, Contract, Offer, Part, Priority, Request
from edge.energy.supplier import Supplier
from host_tools.world import World, chain

HONEST = {  # node: kind and power in W of its devices
    "n1": [("pv", 1500.0), ("load", 700.0), ("load", 200.0)],
    "n2": [("grid", 3000.0), ("load", 500.0), ("load", 700.0)],
    "n3": [("pv", 400.0), ("load", 400.0)],
}
LATE_W = 250.0  # the need of a load that is switched on during the lie
STARTS_S = 20.0


class LyingConsumer(Consumer):
    """A consumer that publishes what `plan` sets: `request` and `shown_main`."""

    plan: Callable[["LyingConsumer", float], None]

    def __init__(self, honest: Consumer, plan) -> None:
        self.__dict__.update(honest.__dict__)
        self.plan = plan
        self.shown_main = None
        self.offers, self.answers, self.number = {}, {}, 1000
        self.set_need(1.0)

    @property
    def main(self):
        return self.shown_main

    @property
    def extra(self):
        return None

    def see_offer(self, supplier, offer, hops, now_s):
        if offer is None:
            self.offers.pop(supplier, None)
        else:
            self.offers[supplier] = offer

    def see_answers(self, supplier, answers):
        self.answers[supplier] = answers

    def step(self, now_s):
        self.plan(self, now_s)

    def next_number(self):
        self.number += 1
        return self.number

    def agreed(self, supplier):
        """Whether a supplier has confirmed the contract that it shows."""
        answers = self.answers.get(supplier, ())
        return any(each.contract_id == self.shown_main.id and each.agreed for each in answers)


class Microgrid:
    """Three honest nodes in a chain, and a liar at its end or with more names behind it."""

    def __init__(self, lie=None, *, twins=1, names=(), late="n1", seed=1, limits=None) -> None:
        self.world = World(seed)
        links = chain([*HONEST, "liar"])
        links["liar"] += names
        for node, devices in HONEST.items():
            self.world.add(node, links[node], self._twins(node, devices, late), **(limits or {}))
        liars = {"liar": twins} if not names else dict.fromkeys(names, twins)
        for node in ("liar", *names):
            count = liars.get(node, 1)
            load = {"kind": "battery", "power_w": 0.001}
            self.world.add(node, links.get(node, ["liar"]), [{"name": f"t{i}", **load} for i in range(count)])
        self.world.boot()
        self._late_w, self._late_node, self._late_s = 0.0, late, 0.0
        self._read()
        self.world.run(STARTS_S)
        self.served_wh = self.needed_wh = 0.0
        self.waited_s = None
        self.liars = []
        if lie:
            for node in liars:
                for twin in self.world.nodes[node].node.prosumers:
                    lie(twin)
                    self.liars.append(twin)

    @staticmethod
    def _twins(node, devices, late):
        twins = []
        for i, (kind, power_w) in enumerate(devices):
            twin = {"name": f"d{i}", "kind": kind}
            twin |= {"capacity_w": power_w} if kind == "grid" else {"power_w": power_w}
            twins.append(twin)
        if node == late:
            twins.append({"name": "late", "kind": "load", "input": "m.total"})
        return twins

    def _read(self):
        self.world.nodes[self._late_node].meters.say("m.total", self._late_w)
        self.world.after(1.0, self._read)

    @property
    def honest(self):
        return [twin for name in HONEST for twin in self.world.nodes[name].node.prosumers]

    def late(self):
        """Switch the late load on; `waited_s` becomes the time until it is served."""
        self._late_w = LATE_W
        self._late_s, self.waited_s = self.world.clock.now_s(), None

    def rest(self):
        """Switch it off."""
        self._late_w = 0.0

    def member(self, node, name="liar"):
        """What a node has recorded about a member; None if nothing."""
        return dict(self.world.nodes[node].node.members).get(name)

    def run(self, seconds, step_s=0.25):
        """Let time pass; add up what honest consumers need and get, in Wh."""
        for _ in range(round(seconds / step_s)):
            for twin in self.liars:
                node = self.world.nodes[twin.name.split(".")[0]]
                node.touch(lambda each, twin=twin: each.engine.stir(twin))
            self.world.run(step_s)
            for twin in self.honest:
                need_w = twin.consumer.need_w
                self.needed_wh += need_w * step_s / 3600
                self.served_wh += min(need_w, twin.consumer.supplied_w) * step_s / 3600
            if self._late_w and self.waited_s is None:
                late = next(twin for twin in self.honest if twin.short_name == "late")
                if late.consumer.satisfied:
                    self.waited_s = self.world.clock.now_s() - self._late_s
        broken = {name: each.node.last_violation for name, each in self.world.nodes.items() if name in HONEST}
        assert not any(broken.values()), broken
        return self

    @property
    def lost(self):
        """The share of the energy of honest consumers that they did not get."""
        return 1.0 - self.served_wh / self.needed_wh

    def close(self):
        self.world.close()


class LyingSupplier(Supplier):
    """A supplier without power that offers all that is requested, for nothing, and answers as `agrees`."""

    def __init__(self, honest: Supplier, agrees) -> None:
        self.__dict__.update(honest.__dict__)
        self.agrees = agrees
        self.requests, self.contracts = {}, {}

    def see_request(self, consumer, request, hops, now_s):
        self.requests[consumer] = request

    def see_contract(self, consumer, complement, contract, hops):
        self.contracts[consumer] = contract

    def set_capacity(self, power_w):
        pass

    def step(self, now_s):
        self.now_s = now_s

    def offers(self):
        asked = {name: each for name, each in self.requests.items() if each}
        return {name: Offer(each.id, each.power_w, each.power_w, 0) for name, each in list(asked.items())[:5]}

    def offer_until_s(self, consumer):
        return self.now_s + 8.0

    def answers(self):
        shown = {name: each for name, each in self.contracts.items() if each and each.part_of(self.name)}
        answers = {name: self.agrees(self, each) for name, each in shown.items()}
        return {name: (Answer(shown[name].id, yes),) for name, yes in answers.items() if yes is not None}


# ---- lies -------------------------------------------------------------------------------------------


def consuming(plan):
    """A lie of a consumer: `plan` is called at each of its steps."""

    def begin(twin):
        twin.consumer = LyingConsumer(twin.consumer, plan)

    return begin


def supplying(agrees):
    """A lie of a supplier: `agrees` tells its answer to a contract, None if it gives none."""

    def begin(twin):
        twin.supplier = LyingSupplier(twin.supplier, agrees)

    return begin


def seize(power_w, priority=Priority.HIGH):
    """Request power and make a contract over all that is offered, interruptions included; keep it."""
    return consuming(_seize(power_w, priority))


def _seize(power_w, priority):
    def plan(liar, now_s):
        if liar.shown_main is None:
            if liar.request is None:
                liar.request = Request(liar.next_number(), power_w, priority, partial=True)
                liar.asked_s = now_s
            elif now_s >= liar.asked_s + 1.0:
                parts = [
                    Part(name, round((each.max_w + each.urgent_w) / 1.05, 3), each.max_w + each.urgent_w)
                    for name, each in liar.offers.items()
                    if each.request_id == liar.request.id
                ]
                liar.request = None
                if parts:
                    number = liar.next_number()
                    liar.shown_main = Contract(number, 0, False, 3600, priority, tuple(parts))
                    liar.made_s = now_s
        elif not liar.shown_main.valid:
            agreed = [part for part in liar.shown_main.parts if liar.agreed(part.supplier)]
            if agreed and now_s >= liar.made_s + 0.5:
                old = liar.shown_main
                liar.shown_main = Contract(old.id, old.revision + 1, True, 3600, priority, tuple(agreed))
            elif now_s >= liar.made_s + 3.0:
                liar.shown_main = None

    return plan


def forge(powers_w):
    """Publish a contract that no offer preceded, valid at first sight, with high priority."""

    def plan(liar, now_s):
        if liar.shown_main is None:
            parts = tuple(Part(name, each, round(1.05 * each, 3)) for name, each in powers_w.items())
            liar.shown_main = Contract(liar.next_number(), 0, True, 3600, Priority.HIGH, parts)

    return consuming(plan)


def never_confirm(power_w, renew_s, priority=Priority.HIGH):
    """Request power, take no offer, and request again under a new id."""

    def plan(liar, now_s):
        if liar.request is None or now_s >= liar.asked_s + renew_s:
            liar.request = Request(liar.next_number(), power_w, priority)
            liar.asked_s = now_s

    return consuming(plan)


def reopen(power_w, every_s, priority=Priority.HIGH):
    """Make contracts of what is offered, never validate them, and show each under a new id."""

    def plan(liar, now_s):
        if now_s < getattr(liar, "next_s", 0.0):
            return
        liar.next_s = now_s + every_s
        parts = tuple(Part(n, o.power_w, o.max_w) for n, o in liar.offers.items() if o.power_w)
        if parts:
            liar.kept = parts
        parts = getattr(liar, "kept", ())
        if parts:
            liar.shown_main = Contract(liar.next_number(), 0, False, 3600, priority, parts)
        liar.request = Request(liar.next_number(), power_w, priority)

    return consuming(plan)


def gather(power_w, priority=Priority.HIGH):
    """Request more than anybody has, long unserved, so that all remainders gather at it."""

    def plan(liar, now_s):
        if liar.request is None:
            liar.request = Request(
                liar.next_number(), power_w, priority, True, 1e8, priority is Priority.HIGH
            )

    return consuming(plan)


def hoard(power_w):
    """As `seize`, but draw hardly anything of it."""
    take = _seize(power_w, Priority.HIGH)

    def plan(liar, now_s):
        take(liar, now_s)
        if liar.shown_main and liar.shown_main.valid and liar.shown_main.power_w > 2.0:
            old = liar.shown_main
            parts = tuple(Part(each.supplier, 0.01, each.max_w) for each in old.parts)
            liar.shown_main = Contract(old.id, old.revision + 1, True, 3600, old.priority, parts)

    return consuming(plan)
