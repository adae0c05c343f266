"""The profile of a community: one file for all its members that sets their policies (thesis 7.6).

Its keys are those of the section `[community]`. What a node says itself comes first: its own section, then
the profile; its own `[[twin]]` and `[limits]`, then what the attributes of the community mean for them.
"""

from pathlib import Path
from typing import Any

from ..files import InvalidToml, read_toml
from .learning import Complain

Row = dict[str, Any]
_TWINS: dict[tuple[str, str], Row] = {  # attribute and value: keys of twins
    ("energy_mix", "green"): {"consumer_policy": "green_first"},
    ("connection", "island"): {"accepts": "partial", "producer_policy": "fair_share"},
    ("pricing", "dynamic"): {"pricing": "dynamic"},
    ("pricing", "fixed"): {"pricing": "fixed"},
}
_LIMITS: dict[tuple[str, str], Row] = {("emergency", "equal"): {"urgent_share": 0.0}}


def with_profile(raw: Row, folder: Path, complain: Complain) -> Row:
    """A parsed configuration with the profile of its community, and with what follows from it."""
    own = raw.get("community")
    if not isinstance(own, dict):
        return raw
    community = _profile(own.get("profile"), folder, complain) | own
    twins, limits = raw.get("twin", []), raw.get("limits", {})
    if isinstance(twins, list):
        twins = [_meant(_TWINS, community) | each if isinstance(each, dict) else each for each in twins]
    if isinstance(limits, dict):
        limits = _meant(_LIMITS, community) | limits
    return (
        raw
        | {"community": community}
        | ({"twin": twins} if twins else {})
        | ({"limits": limits} if limits else {})
    )


def _meant(meanings: dict[tuple[str, str], Row], community: Row) -> Row:
    found: Row = {}
    for (key, value), meaning in meanings.items():
        if community.get(key) == value:
            found |= meaning
    return found


def _profile(name: object, folder: Path, complain: Complain) -> Row:
    if not isinstance(name, str) or not name:
        return {}
    try:
        found = read_toml(folder / name)
    except OSError as error:
        complain("community.profile", name, f"cannot be read: {error.strerror}")
        return {}
    except InvalidToml as error:
        complain("community.profile", name, str(error))
        return {}
    if "profile" in found:
        complain("community.profile", name, "must not name another profile")
        found.pop("profile")
    return found
