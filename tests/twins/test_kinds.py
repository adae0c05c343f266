"""Twins by kind: each is one file and one line, and a node that has none of a kind does not load it."""

import random

import pytest

from edge.twins import registry
from edge.twins.twin import Twin
from host_tools.world import World


class Siren(Twin):
    """A kind of twin that only this test knows."""

    kind = "siren"

    def __init__(self, settings, home, rng):
        super().__init__("siren", home)
        self.seconds = self.minutes = 0

    def second_passed(self):
        self.seconds += 1

    def minute_passed(self, minute, ended, powers_w):
        self.minutes += ended is not None

    def troubles(self):
        yield "loud", "the siren is on"


@pytest.fixture
def world():
    world = World(seed=1)
    yield world
    world.close()


def test_a_new_kind_needs_one_line_and_gets_all_that_a_twin_gets(world, monkeypatch):
    monkeypatch.setitem(registry.SERVICES, "siren", registry.ServiceKind(f"{__name__}:Siren", always=True))
    monkeypatch.delitem(registry.SERVICES, "recorder")
    monkeypatch.setattr(registry, "import_module", lambda name, package: __import__(__name__))
    world.add("n1", [], [])
    world.boot()
    world.run(5)
    (siren,) = world.nodes["n1"].node.twins
    assert (siren.kind, siren.name, siren.seconds) == ("siren", "n1.siren", 5)


def test_what_a_twin_cannot_use_is_said_with_its_kind(world):
    world.add("n1", [], [], {"node_model": "lstm", "node_options": "start = nowhere"})
    with pytest.raises(registry.TwinError, match=r"\[learning\].*nowhere"):
        world.boot()


def test_a_missing_library_is_said_with_the_extra_that_brings_it(monkeypatch):
    def missing(name, package):
        raise ImportError("No module named 'numpy'")

    monkeypatch.setattr(registry, "import_module", missing)
    with pytest.raises(registry.TwinError, match=r"\[learning\].*`learn`.*numpy"):
        registry.create("learning", None, None, random.Random(1))
