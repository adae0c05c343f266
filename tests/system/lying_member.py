"""A virtual microgrid with a member that tells the lies of `make attack` about energy."""

from collections import Counter

from host_tools.attack.promises import (  # noqa: F401 - for the tests
    consuming,
    forge,
    gather,
    hoard,
    never_confirm,
    never_validate,
    reopen,
    seize,
    supplying,
)
from host_tools.world import World, chain

HONEST = {  # node: kind and power in W of its devices
    "n1": [("pv", 1500.0), ("load", 700.0), ("load", 200.0)],
    "n2": [("grid", 3000.0), ("load", 500.0), ("load", 700.0)],
    "n3": [("pv", 400.0), ("load", 400.0)],
}
LATE_W = 250.0  # the need of a load that is switched on during the lie
STARTS_S = 20.0


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
        self.unserved_ws, self.needed_ws = Counter(), Counter()  # by node
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
                served_w = min(need_w, twin.consumer.supplied_w)
                self.served_wh += served_w * step_s / 3600
                node = twin.name.partition(".")[0]
                self.needed_ws[node] += need_w * step_s
                self.unserved_ws[node] += (need_w - served_w) * step_s
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

    @property
    def worst(self):
        """The largest such share of one node."""
        return max(self.unserved_ws[node] / need_ws for node, need_ws in self.needed_ws.items())

    def close(self):
        self.world.close()
