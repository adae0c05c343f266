"""The tuple space against a dictionary, for any operations in any order."""

from check import Watcher, assert_as_new, small, state
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from soundness import assert_sound

from edge.space.engine import Engine
from edge.space.errors import NotOwner, SpaceFull, UnknownLsa, ValueTooLarge
from edge.space.exchange import absorb, export
from edge.space.laws import standard_laws
from edge.space.laws.aggregation import Aggregating
from edge.space.lsa import EVERYWHERE, Aggregation, Lsa, Near, Property
from edge.space.nearby import absorb_near, is_near_news
from edge.space.origins import LIFE_S
from edge.space.tuplespace import TupleSpace

LABELS = st.sampled_from(["L", "M", "N", "O", "P"])
QUERIES = st.sampled_from(["", "", "", "a.watcher", "a.t1", "b.t1", "x.y"])
VALUES = st.one_of(st.binary(max_size=8), st.integers(0, 300).map(lambda n: bytes([n % 251]) * n))
LIVES = st.sampled_from([0, 0, 1, 2, 5, 300])
REACHES = st.sampled_from([EVERYWHERE, EVERYWHERE, 0, 1, 3])
LOCAL = st.sampled_from(["a.t1", "a.t2", "a.t3", "a.t4", "a.t5"])
REMOTE = st.tuples(st.sampled_from("bc"), st.sampled_from(["t1", "t2", "t3"]))
KINDS = st.sampled_from(["", "twin", "other"])
SPECS = st.lists(LABELS, max_size=2).map(
    lambda labels: [Aggregation(label, "longest", EVERYWHERE) for label in labels]
)
PROPERTIES = st.dictionaries(
    st.tuples(LABELS, QUERIES), st.tuples(VALUES, LIVES, st.integers(0, 2)), max_size=5
)
WANTED = ("L", "M")


def _longest(sources, spec):
    return max(source.value for source in sources), [0.0] * len(sources)


class Mirror(Watcher):
    """Knows of the space only its notifications."""

    def __init__(self):
        super().__init__("a.watcher", *WANTED)
        self.known = {}

    def bonded(self, bond):
        query = self.space.names.text(self.space.p_query[bond.property])
        if bond.withdrawn:
            self.known.pop((bond.name, bond.label, query), None)
        else:
            self.known[bond.name, bond.label, query] = bond.value()

    def decayed(self, name, life_s):
        if not life_s:
            self.known = {key: value for key, value in self.known.items() if key[0] != name}


class Model:
    """What an LSA should be."""

    def __init__(self, origin, kind=""):
        self.origin = origin
        self.kind = kind
        self.version = 0
        self.path = []
        self.due = 0
        self.properties = {}  # (label, query) -> (value, due, reach, version)


class SpaceMachine(RuleBasedStateMachine):
    """Does things to a space and to a dictionary, and compares."""

    def __init__(self):
        super().__init__()
        limits = small(
            lsas=7, properties=18, heap_bytes=64 * 24, names=18, labels=6, nodes=5, value_bytes=280
        )
        self.space = TupleSpace("a", limits)
        self.space.set_neighbours(["b"])
        laws = standard_laws()
        laws[2] = Aggregating({"longest": _longest})
        self.engine = Engine(self.space, None, laws)
        self.mirror = Mirror()
        self.engine.add(self.mirror)
        self.model = {"a.watcher": Model("a", "agent")}
        self.origins = {}  # name -> [incarnation, tick at which it expires]
        self.tick = 1
        self.near_version = 1

    def attempt(self, *call):
        """Whether an operation succeeded; one that is refused for lack of room has changed nothing."""
        before, refused = state(self.space), None
        try:
            call[0](*call[1:])
        except (SpaceFull, ValueTooLarge, NotOwner, UnknownLsa) as refusal:
            refused = refusal
        assert refused is None or state(self.space) == before, f"{refused!r} left a trace"
        return refused

    # ---- local LSAs -------------------------------------------------------------------------

    @rule(name=LOCAL, kind=KINDS)
    def inject(self, name, kind):
        refusal = self.attempt(self.space.inject, name, kind)
        assert isinstance(refusal, NotOwner) == (name in self.model)
        if isinstance(refusal, SpaceFull):
            assert self.space.lsas_free == 0 or self.space.names.free < 2
        if refusal is None:
            self.model[name] = Model("a", kind)

    @rule(name=LOCAL, label=LABELS, query=QUERIES, value=VALUES, life_s=LIVES, reach=REACHES)
    def put(self, name, label, query, value, life_s, reach):
        handle = self.space.find(name)
        if 0 < reach < EVERYWHERE:
            life_s = max(1, life_s)  # it needs one
        refusal = self.attempt(self.space.put, handle, label, query, value, life_s, reach)
        if name not in self.model:
            assert isinstance(refusal, UnknownLsa)
            return
        held = self.model[name].properties
        assert isinstance(refusal, ValueTooLarge) == (len(value) > 280)
        if isinstance(refusal, SpaceFull):
            space = self.space
            room = space.heap.need(len(held[label, query][0]) if (label, query) in held else 0)
            blocks = space.heap.need(len(value)) > space.heap.free + room
            tables = not space.labels.fits({label}) or not space.names.fits({query})
            new = (label, query) not in held
            assert blocks or (new and (len(held) == 10 or not space.properties_free or tables))
        if refusal is None:
            held[label, query] = (value, self.tick + life_s if life_s else 0, reach, None)

    @rule(name=LOCAL, label=LABELS, query=QUERIES)
    def withdraw(self, name, label, query):
        if name in self.model:
            had = self.model[name].properties.pop((label, query), None)
            assert self.space.withdraw(self.space.find(name), label, query) == (had is not None)

    @rule(name=LOCAL)
    def remove(self, name):
        if self.model.pop(name, None):
            self.space.remove(self.space.find(name))

    @rule(name=LOCAL, life_s=LIVES)
    def keep(self, name, life_s):
        if name in self.model:
            self.space.keep(self.space.find(name), life_s)
            self.model[name].due = self.tick + life_s if life_s else 0

    @rule(name=LOCAL, specs=SPECS)
    def aggregate_by(self, name, specs):
        if name in self.model:
            self.space.aggregate_by(self.space.find(name), specs)

    # ---- LSAs of other nodes ----------------------------------------------------------------

    @rule(
        who=REMOTE,
        kind=KINDS,
        properties=PROPERTIES,
        specs=SPECS,
        ahead=st.integers(-2, 3),
        reborn=st.sampled_from([0, 0, 0, 0, 1, -1]),
        life_s=st.sampled_from([0, 1, 5, 13, 13, 3600]),
        way=st.sampled_from(["", "d", "de", "cd"]),
    )
    def absorb(self, who, kind, properties, specs, ahead, reborn, life_s, way):
        origin, name = who[0], ".".join(who)
        known = self.origins.get(origin, [1, 0])[0]
        held = self.model.get(name)
        incarnation = max(1, known + reborn)
        version = max(1, (held.version if held else 3) + ahead)
        path = [node for node in dict.fromkeys([*way, origin]) if node != "a"]
        shown = [Property(*key, v, life, value) for key, (value, life, v) in properties.items()]
        record = Lsa(name, kind, b"k" * 64, origin, incarnation, version, life_s, path, specs, shown)
        if self.attempt(absorb, self.space, record, path[0]) is None:
            self._absorbed(record, held)

    def _absorbed(self, record, held):
        """What `absorb` should have done."""
        known = self.origins.get(record.origin)
        if known and record.incarnation < known[0]:
            return
        newer = not known or record.incarnation > known[0]
        if held and not newer and record.version <= held.version:
            return
        if not record.life_s and not held:
            return
        if newer and known:
            known[0] = record.incarnation
            for each in self.model.values():
                if each.origin == record.origin:
                    each.version = 0
                    for key, (value, due, reach, _) in each.properties.items():
                        if reach != EVERYWHERE:
                            each.properties[key] = (value, due, reach, 0)
        elif newer:
            self.origins[record.origin] = [record.incarnation, self.tick + min(record.life_s, LIFE_S)]
        if not record.life_s:
            del self.model[record.name]
            return
        model = self.model.setdefault(record.name, Model(record.origin))
        model.kind, model.version, model.path = record.kind, record.version, list(record.path)
        before = model.properties
        model.properties = {key: each for key, each in before.items() if each[2] != EVERYWHERE}
        for each in record.properties:
            key = (each.label, each.query)
            new = (each.value, self.tick + each.life_s if each.life_s else 0, EVERYWHERE, each.version)
            same = key in before and (before[key][0], *before[key][2:]) == (
                each.value,
                EVERYWHERE,
                each.version,
            )
            model.properties[key] = before[key] if same else new

    @rule(
        who=REMOTE,
        key=st.tuples(LABELS, QUERIES),
        value=VALUES,
        ahead=st.integers(-1, 2),
        hops=st.integers(0, 2),
        life_s=st.sampled_from([1, 2, 5, 300]),
        proof=st.sampled_from([b"", b"n" * 64]),
    )
    def absorb_near(self, who, key, value, ahead, hops, life_s, proof):
        name = ".".join(who)
        held = self.model.get(name)
        known = self.origins.get(who[0], [1, 0])[0]
        before = held.properties.get(key) if held else None
        version = max(1, (before[3] or 0) + ahead if before else self.near_version + ahead)
        record = Near(name, known, *key, version, 2, hops, life_s, life_s, value, proof)
        news = is_near_news(self.space, record, "b")
        if not held or hops >= 2 or (before and (before[2] == EVERYWHERE or before[3] > version)):
            assert not news
        if self.attempt(absorb_near, self.space, record, "b") is None and news:
            if before and before[3] == version:
                return  # a shorter way
            held.properties[key] = (value, self.tick + life_s, 2, version)
            self.near_version = max(self.near_version, version)

    @rule(origin=st.sampled_from("bc"))
    def heartbeat(self, origin):
        if origin in self.origins:
            self.origins[origin][1] = self.tick + LIFE_S
            self.space.origins.expires[self.space.nodes.find(origin)] = self.tick + LIFE_S

    # ---- time and reactions -----------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 1, 1, 2, 6]))
    def pass_time(self, seconds):
        for _ in range(seconds):
            pressed = self.space.room.pressed
            self.engine.tick()
            self.tick += 1
            if pressed:  # who holds most may have lost LSAs
                self.model = {n: each for n, each in self.model.items() if self.space.find(n)}
            for origin in [o for o, (_, expires) in self.origins.items() if expires <= self.tick]:
                del self.origins[origin]
            self.model = {
                name: each
                for name, each in self.model.items()
                if each.due != self.tick and (each.origin == "a" or each.origin in self.origins)
            }
            for each in self.model.values():
                each.properties = {k: p for k, p in each.properties.items() if p[1] != self.tick}

    @rule()
    def react(self):
        self.engine.react()
        assert self.engine.faults == 0 or "SpaceFull" in self.engine.last_fault
        expected = {
            (name, label, query): value[0]
            for name, each in self.model.items()
            for (label, query), value in each.properties.items()
            if label in WANTED and query in ("", "a.watcher") and name != "a.watcher"
        }
        assert self.mirror.known == expected

    # ---- what always holds ------------------------------------------------------------------

    @invariant()
    def the_inside_hangs_together(self):
        assert_sound(self.space)

    @invariant()
    def it_holds_what_the_model_holds(self):
        space = self.space
        live = {
            space.names.text(space.lsa_name[slot]): slot
            for slot in range(space.limits.lsas)
            if space.lsa_state[slot] == 1
        }
        assert live.keys() == self.model.keys()
        for name, model in self.model.items():
            record = export(space, live[name])
            shown = {(p.label, p.query): (p.value, p.left_s) for p in record.properties}
            assert shown == {
                key: (value, max(1, due - self.tick) if due else 0)
                for key, (value, due, reach, _) in model.properties.items()
                if reach == EVERYWHERE
            }
            for (label, query), (value, _, _, _) in model.properties.items():
                assert space.read(space.find(name), label, query) == value
            assert (record.name, record.kind, record.origin) == (name, model.kind, model.origin)
            if model.origin != "a":
                assert record.version == model.version
                way = record.path[1:]  # without nodes that had to give their places to others
                assert record.path[0] == "a"
                assert model.origin in way
                assert [node for node in model.path if node in way] == way
                assert record.incarnation == self.origins[model.origin][0]
        known = {space.nodes.text(n): t for n, t in enumerate(space.origins.expires) if t}
        assert known == {origin: expires for origin, (_, expires) in self.origins.items()}

    def teardown(self):
        """When everything has left and all are notified, the space is as new."""
        for name in [name for name, each in self.model.items() if each.origin == "a" and name != "a.watcher"]:
            self.space.remove(self.space.find(name))
        self.engine.remove(self.mirror)
        for _ in range(LIFE_S):
            self.engine.tick()
        self.engine.react()
        assert_as_new(self.space, neighbours=1)


TestSpace = SpaceMachine.TestCase
TestSpace.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
