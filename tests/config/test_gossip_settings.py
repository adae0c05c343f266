"""The section `[gossip]`."""

import pytest

from edge.config.check import ConfigError, build
from edge.terms import VARIABLES
from edge.twins.gossip_settings import GossipSettings

NODE = {"node": {"name": "n1", "state_dir": "state"}, "learning": {"node_model": "markov"}}


def config(limits=None, neighbours=1, **gossip):
    others = [{"name": f"m{i}", "host": "virtual"} for i in range(neighbours)]
    return build({**NODE, "gossip": gossip, "limits": limits or {}, "neighbour": others}, "file")


def test_a_node_that_learns_gossips_only_if_it_is_told_to():
    assert not config().learning.gossip.wanted
    assert config(models="on").learning.gossip.wanted
    assert config(predictions="on").learning.gossip.wanted


def test_operators_by_variable():
    settings = GossipSettings(operator="skill", operators="produced = min_loss; missing = auto")
    found = settings.operator_by_variable
    assert (found["produced"], found["missing"], found["requested"]) == ("min_loss", "auto", "skill")
    assert set(found) == set(VARIABLES)


@pytest.mark.parametrize(
    "text",
    [
        *("produced", "sun = skill", "produced = best", "produced = dist_power_last"),
        "produced = skill; produced = equal",
    ],
)
def test_operators_that_are_unknown_are_refused(text):
    with pytest.raises(ConfigError, match=r"gossip\.operators"):
        config(models="on", operators=text)


def test_the_period_follows_the_model_unless_it_is_set():
    assert GossipSettings().every_min_of("markov") == 5
    assert GossipSettings().every_min_of("mixture") == 20
    assert GossipSettings(every_min=7).every_min_of("markov") == 7


def test_values_and_heap_must_hold_the_messages():
    with pytest.raises(ConfigError, match=r"limits\.value_bytes = 10240"):
        config(models="on", message_bytes=16_000)
    with pytest.raises(ConfigError, match=r"limits\.heap_kb = 32: must be at least 37 for gossip"):
        config({"heap_kb": 32}, neighbours=2, models="on")
    config({"heap_kb": 37}, neighbours=2, models="on")
    config({"heap_kb": 128}, neighbours=8, models="on")
    config({"heap_kb": 32}, neighbours=8)
