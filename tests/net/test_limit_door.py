"""External limits over a real broker: what arrives, what is refused, and what is shown."""

import json

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.net.limit_door import MOST_BYTES, limit_topic, limits_topic

pytestmark = pytest.mark.system


@pytest.fixture
def box(grid):
    """A node that hears limits, what it heard, and a client of its broker with what that hears."""
    grid.start_brokers("a")
    node = grid.node("a")
    heard, seen = [], []
    node.links.hear_limits(lambda source, message: heard.append((source, message)))
    node.start()
    grid.wait_until(lambda: node.inbox()["connected"])
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: seen.append(message.payload)
    client.on_subscribe = lambda *_: seen.append(b"subscribed")
    client.connect("127.0.0.1", grid.brokers["a"].port)
    client.subscribe(limits_topic("a"))
    client.loop_start()
    grid.wait_until(lambda: b"subscribed" in seen)
    yield node, heard, client, seen
    client.disconnect()
    client.loop_stop()


def test_a_message_of_a_controller_arrives_with_its_name(grid, box):
    node, heard, client, _ = box
    message = json.dumps({"direction": "consume", "power_w": 4200}).encode()
    client.publish(limit_topic("a", "evcc"), message)
    grid.wait_until(lambda: heard)
    assert heard == [("evcc", message)]
    assert node.inbox()["refused"] == 0


def test_wrong_names_and_long_messages_are_refused(grid, box):
    node, heard, client, _ = box
    client.publish(limit_topic("a", "Evcc!"), b"{}")
    client.publish(limit_topic("a", "evcc"), b"x" * (MOST_BYTES + 1))
    client.publish(limit_topic("b", "evcc"), b"{}")
    client.publish(limit_topic("a", "last"), b"{}")
    grid.wait_until(lambda: heard)
    assert heard == [("last", b"{}")]
    assert node.links._inbox.door.refused == 2


def test_what_holds_is_shown_once_until_it_changes(grid, box):
    node, _, _, seen = box
    for state in (b"1", b"1", b"2"):
        node.links.show_limits(state)
    grid.wait_until(lambda: b"2" in seen)
    assert seen == [b"subscribed", b"1", b"2"]
