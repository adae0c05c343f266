"""Brokers for nodes on this machine: start, stop, and helpful messages on failure."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import REPOSITORY

from host_tools.broker import Broker, BrokerError, free_port
from host_tools.setup import find_broker
from host_tools.setup.debs import SetupError
from host_tools.setup.find_broker import BrokerProgram

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def forgotten_broker() -> Iterator[None]:
    """Each test searches for its broker again."""
    find_broker.find_broker.cache_clear()
    yield
    find_broker.find_broker.cache_clear()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_it_accepts_until_it_is_stopped_and_can_start_again(tmp_path):
    broker = Broker("gym", free_port(), tmp_path)
    for end in (broker.stop, broker.kill):
        broker.start()
        assert accepts(broker.port)
        end()
        assert not accepts(broker.port)
        assert broker.pid is None
    broker.stop()


def test_it_listens_on_loopback_only(tmp_path):
    with Broker("gym", free_port(), tmp_path) as broker:
        listening = Path("/proc/net/tcp").read_text().splitlines()
        local = [line.split()[1] for line in listening if line.split()[3] == "0A"]
    assert [address for address in local if address.endswith(f":{broker.port:04X}")] == [
        f"0100007F:{broker.port:04X}"
    ]


def test_a_port_in_use_is_reported(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(BrokerError, match=r"gym: port \d+ is in use"),
    ):
        Broker("gym", other.getsockname()[1], tmp_path).start()


def test_failure_to_start_shows_the_end_of_the_log(tmp_path):
    def nonsense(port: int, max_packet_bytes: int, log: Path) -> str:
        return "no_such_setting true\n"

    known = find_broker.find_broker()
    broken = BrokerProgram(known.name, known.command, nonsense, known.environment, known.suffix)
    with pytest.raises(BrokerError, match=r"accepts no connection.*\n(.*\n)*.*no_such_setting"):
        Broker("gym", free_port(), tmp_path, program=broken).start()


def test_it_dies_with_its_parent(tmp_path):
    port = free_port()
    script = f"""
import pathlib, time
from host_tools.broker import Broker
Broker("gym", {port}, pathlib.Path({str(tmp_path)!r})).start()
print("up", flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        assert accepts(port)
    finally:
        parent.kill()
        parent.wait()
    deadline_s = time.monotonic() + 5
    while accepts(port):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_without_a_broker_the_package_to_install_is_named(tmp_path, monkeypatch):
    def missing() -> BrokerProgram:
        raise SetupError("not for this machine")

    for way in ("installed_mosquitto", "unpacked_mosquitto", "iotcore_from_pypi"):
        monkeypatch.setattr(find_broker, way, missing)
    with pytest.raises(BrokerError, match=r"apt-get install mosquitto(\n.*not for this machine){3}"):
        Broker("gym", free_port(), tmp_path)


def test_fallbacks_come_in_order(monkeypatch):
    def missing() -> BrokerProgram:
        raise SetupError("not here")

    fallback = BrokerProgram("fallback", ("true",), find_broker.mosquitto_configuration)
    monkeypatch.setattr(find_broker, "installed_mosquitto", missing)
    monkeypatch.setattr(find_broker, "unpacked_mosquitto", lambda: fallback)
    assert find_broker.find_broker() is fallback
