"""The section `[holon]`: its twin, its gates, and what contradicts itself."""

import pytest

from edge.__main__ import main
from edge.config.check import ConfigError, build

UP = {"name": "up", "kind": "holon"}


def config(twins=(UP,), **holon):
    node = {"name": "gym", "state_dir": "/tmp"}
    return build({"node": node, "twin": list(twins), "holon": {"parent": "q.toml"} | holon}, "gym.toml")


def test_gates_are_pairs_in_the_order_of_succession():
    assert config().holon.pairs == ()
    pairs = config(order="school = q-school, gym=q-gym").holon.pairs
    assert pairs == (("school", "q-school"), ("gym", "q-gym"))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"twins": []}, "holon.twin"),
        ({"twin": "down"}, "holon.twin"),
        ({"twins": [{"name": "up", "kind": "load", "power_w": 1.0}]}, "holon.twin"),
        ({"order": "school=q-school"}, "holon.order"),
        ({"order": "gym=q-gym, gym=q-school"}, "holon.order"),
        ({"order": "gym=q, school=q"}, "holon.order"),
        ({"order": "gym"}, "holon.order"),
        ({"order": "gym=q.down"}, "holon.order"),
    ],
)
def test_what_cannot_work_is_refused(changes, key):
    with pytest.raises(ConfigError, match=key):
        config(**changes)


def test_the_file_of_the_other_node_is_checked_too(tmp_path, capsys):
    text = (
        '[node]\nname = "{}"\nstate_dir = "{}"\n[holon]\nparent = "{}"\n[[twin]]\nname = "up"\nkind = "holon"'
    )
    (tmp_path / "gym.toml").write_text(text.format("gym", tmp_path, "q.toml"))
    (tmp_path / "q.toml").write_text(text.format("gym", tmp_path, "q.toml"))
    assert main(["check", "--config", str(tmp_path / "gym.toml")]) == 1
    assert "q.toml: node.name = 'gym': this machine has such a node already" in capsys.readouterr().err
