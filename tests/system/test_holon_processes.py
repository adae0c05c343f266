"""A gate in real time: one process runs a node in each of two microgrids, with a broker for each."""

import json
import os
import subprocess
import sys
import time
import urllib.request

import pytest

from host_tools.broker import Broker, free_port
from host_tools.microgrid.launch import NODE_ENVIRONMENT


def write(path, text):
    path.write_text(text)
    return path


def node(folder, name, broker, api, neighbours, rest):
    lines = [f'[node]\nname = "{name}"\nstate_dir = "{folder / name}"', f"[mqtt]\nport = {broker}"]
    lines += [f"[api]\nport = {api}"]
    lines += [
        f'[[neighbour]]\nname = "{each}"\nhost = "127.0.0.1"\nport = {port}' for each, port in neighbours
    ]
    return write(folder / f"{name}.toml", "\n".join([*lines, rest]))


def twins(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/twins", timeout=5) as answer:
        return {each["name"]: each for each in json.load(answer)}


@pytest.fixture
def gates(tmp_path):
    """The gates of two microgrids of one node each, which are neighbours in the parent."""
    names = ("a", "qa", "b", "qb")
    ports = {name: free_port() for name in names}
    apis = {"a": free_port(), "b": free_port()}
    brokers = [Broker(name, ports[name], tmp_path) for name in names]
    for each in brokers:
        each.start()
    devices = {
        "a": '[[twin]]\nname = "lamp"\nkind = "load"\npower_w = 100.0',
        "b": '[[twin]]\nname = "roof"\nkind = "pv"\npower_w = 300.0',
    }
    processes = []
    for name, other in (("a", "b"), ("b", "a")):
        node(
            tmp_path,
            f"q{name}",
            ports[f"q{name}"],
            0,
            [(f"q{other}", ports[f"q{other}"])],
            '[[twin]]\nname = "down"\nkind = "holon"',
        )
        up = [devices[name], '[[twin]]\nname = "up"\nkind = "holon"']
        up += [f'[holon]\nparent = "q{name}.toml"\norder = "{name}=q{name}"']
        config = node(tmp_path, name, ports[name], apis[name], [], "\n".join(up))
        log = open(tmp_path / f"{name}.log", "wb")  # noqa: SIM115  its process writes to it
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--config", config],
                stderr=log,
                env=os.environ | NODE_ENVIRONMENT,
            )
        )
    yield apis, processes, tmp_path
    for each in processes:
        each.terminate()
    codes = [each.wait(20) for each in processes]
    for each in brokers:
        each.stop()
    assert codes == [0, 0]


def test_two_processes_with_a_node_on_each_side_of_a_gate_pass_power_on(gates):
    apis, processes, folder = gates
    deadline_s = time.monotonic() + 60.0
    while True:
        assert time.monotonic() < deadline_s, (folder / "a.log").read_text()
        assert all(each.poll() is None for each in processes), (folder / "a.log").read_text()
        try:
            lamp, roof = twins(apis["a"])["a.lamp"], twins(apis["b"])["b.roof"]
        except OSError:
            time.sleep(0.2)  # not up yet
            continue
        if lamp["consumed_w"] == 100.0 and roof["supplied_w"] > 0.0:
            return
        time.sleep(0.2)
