"""What a running node has loaded: it pays for each module as long as it runs."""

import os
import subprocess
import sys

import pytest
from repository import REPOSITORY

_NODE = """
[node]
name = "gym"
state_dir = "{folder}"

[[neighbour]]
name = "school"
host = "school.local"

[[bus]]
name = "rs485"
port = "/dev/ttyUSB0"

[[meter]]
name = "lights"
bus = "rs485"
address = 1
profile = "sdm120"

[[twin]]
name = "lighting"
kind = "load"
input = "lights.total"
"""
_RUN = """
import sys
from edge.service.runtime import Runtime
Runtime.run = lambda self: print(*sys.modules)
from edge.__main__ import main
sys.exit(main(["run", "--config", sys.argv[1]]))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The modules of a node that was started as the service starts it."""
    folder = tmp_path_factory.mktemp("node")
    config = folder / "node.toml"
    config.write_text(_NODE.format(folder=folder / "state"))
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(config)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    return set(done.stdout.split())


def test_it_is_a_whole_node(loaded):
    assert {"edge.net.mqtt", "edge.meter.bus", "edge.api.server", "paho.mqtt.client"} <= loaded


@pytest.mark.parametrize(
    "module",
    [
        "http",
        "email",
        "html",
        "urllib.request",
        "socketserver",
        "argparse",
        "locale",
        "calendar",
        "tempfile",
        "shutil",
        "bz2",
        "lzma",
        "subprocess",
        "numpy",
        "asyncio",
        "edge.service.measure",
    ],
)
def test_it_does_not_load(loaded, module):
    assert module not in loaded
