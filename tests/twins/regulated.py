"""A node with a regulator, whose devices obey their relays and what is left to them."""

THESIS_W = {"source_1": 2000.0, "source_2": 150.0, "source_3": 300.0, "source_4": 1000.0}


class House:
    """A node whose devices obey their relays, and what is left to them; read every second."""

    def __init__(self, world, twins, household_w=0.0, **regulator):
        self.world, self.household_w = world, household_w
        self.wants_w = {}
        tables = []
        for twin in twins:
            name = twin["name"]
            self.wants_w[name] = twin.pop("wants_w", 0.0)
            relay = {} if twin.get("flexible") == "dimmed" else {"relay": f"r_{name}"}
            tables.append({"input": f"m_{name}.total", "meter_grace_s": 60.0} | relay | twin)
        connection = regulator.pop("connection", True)
        if connection:
            regulator["connection_input"] = "house.total"
        self.connection = connection
        self.on = world.add("n1", [], tables, regulator=regulator)
        self.series = []
        world.boot()
        self.run(5)

    @property
    def node(self):
        return self.on.node

    @property
    def regulator(self):
        return self.node.regulator

    def twin(self, name):
        return self.node.prosumer(name)

    def power_w(self, name):
        if self.on.meters.relays.get(f"r_{name}") is False:
            return 0.0
        return min(self.wants_w[name], self.twin(name).obedience.most_w)

    def read(self):
        drawn_w = self.household_w
        for name in self.wants_w:
            power_w = self.power_w(name)
            self.on.meters.say(f"m_{name}.total", power_w)
            gives = self.twin(name).settings.kind == "pv"
            drawn_w += -power_w if gives else power_w
        if self.connection:
            self.on.meters.say("house.total", drawn_w)
        self.series.append(drawn_w)

    def run(self, seconds, every_s=1.0):
        for _ in range(round(seconds / every_s)):
            self.read()
            self.world.run(every_s)

    def order(self, **message):
        self.on.touch(lambda node: node.regulator.tell(message, "grid"))

    def off(self):
        return sorted(twin.short_name for twin in self.node.prosumers if twin.disabled)


def sources(**powers_w):
    return [{"name": name, "kind": "pv", "wants_w": power_w} for name, power_w in powers_w.items()]


def loads(**powers_w):
    return [{"name": name, "kind": "load", "wants_w": power_w} for name, power_w in powers_w.items()]


def flexible(name, power_w, how="switched", **more):
    return {"name": name, "kind": "load", "wants_w": power_w, "flexible": how, "rated_w": power_w} | more


def limited(world, **more):
    """4.2 kW at the connection of a house that draws 9.5 kW, of which 1 kW is household load."""
    twins = [
        flexible("heat_pump", 3000.0, priority="medium"),
        flexible("boiler", 2500.0),
        flexible("wallbox", 3000.0, "dimmed"),
        *loads(kitchen=1000.0),
    ]
    house = House(world, twins, max_consumed_w=20_000.0, **more)
    assert house.series[-1] == 9500.0
    return house


def limited_by_box(world):
    twins = [flexible("a", 3000.0), flexible("b", 3000.0)]
    settings = {"controller": "mqtt:box", "failsafe_consume_w": 4200.0, "max_consumed_w": 20_000.0}
    return House(world, twins, **settings)
