"""The profile of a community: what it sets, and what comes before it."""

from pathlib import Path

import pytest
from repository import REPOSITORY

from edge.config.check import ConfigError, build
from edge.files import read_toml
from edge.twins.community_settings import CommunitySettings, shown_total


def config(tmp_path, community, twin=None, profile="", limits=None):
    (tmp_path / "ours.toml").write_text(profile)
    load = {"name": "lamp", "kind": "load", "power_w": 10.0} | (twin or {})
    raw = {"node": {"name": "n", "state_dir": str(tmp_path)}, "twin": [load], "community": community}
    return build(raw | ({"limits": limits} if limits else {}), str(tmp_path / "node.toml"))


def test_a_profile_sets_policies_and_what_a_node_says_itself_comes_first(tmp_path):
    profile = 'response = "price"\nenergy_mix = "green"\nconnection = "island"\nemergency = "equal"\n'
    found = config(tmp_path, {"profile": "ours.toml", "response": "place"}, profile=profile)
    assert found.community.response == "place"
    assert found.community.energy_mix == "green"
    (lamp,) = found.twins
    assert (lamp.consumer_policy, lamp.accepts, lamp.producer_policy) == (
        "green_first",
        "partial",
        "fair_share",
    )
    assert found.limits.urgent_share == 0.0
    own = {"accepts": "whole", "consumer_policy": "first_fit"}
    (lamp,) = config(tmp_path, {"profile": "ours.toml"}, own, profile, {"urgent_share": 0.5}).twins
    assert (lamp.accepts, lamp.consumer_policy) == ("whole", "first_fit")


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("response = 'kind'", "community.response"),
        ("taste = 1", "unknown key"),
        ("= 1", "TOML"),
        ("profile = 'ours.toml'", "another profile"),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path, profile, says):
    with pytest.raises(ConfigError, match=says):
        config(tmp_path, {"profile": "ours.toml"}, profile=profile)


def test_a_profile_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        config(tmp_path, {"profile": "theirs.toml"})


def test_the_examples_are_valid_and_differ(tmp_path):
    found = []
    for name in ("solidarity", "market"):
        file = REPOSITORY / "deploy" / "communities" / f"{name}.toml"
        found.append(config(tmp_path, {"profile": str(Path(file))}).community)
        assert found[-1].name == name
        assert read_toml(file).keys() <= {*CommunitySettings.__dataclass_fields__}
    assert found[0].response != found[1].response


def test_others_see_of_a_total_what_the_community_agreed_on():
    powers_w = (1234.0, 49.0, 51.0, 0.0, 0.0, 160.0)
    assert shown_total(powers_w, None) == powers_w
    assert shown_total(powers_w, CommunitySettings(data="coarse")) == (1200.0, 0.0, 100.0, 0.0, 0.0, 200.0)
    assert shown_total(powers_w, CommunitySettings(data="none")) is None
    assert shown_total(None, CommunitySettings()) is None


def test_a_quota_follows_household_and_flexibility_and_is_undefined_without_people():
    assert CommunitySettings().quota_w(0, 60.0) is None
    assert CommunitySettings().quota_w(2, 60.0) == 100 + 160 + 60
    assert CommunitySettings(flexibility="shortage").quota_w(2, 60.0) == 640
