"""The OpenAPI document, and the interface tried by it: every route keeps to what the document says."""

import importlib.util
import json
import os
import subprocess
import sys
import threading

import orjson
import pytest
from changed_node import TOKENS, ChangedNode

from edge.api.openapi import document
from edge.api.routes import ROUTES
from edge.api.server import ApiServer

CONFIG = """
request-timeout = 10
[checks]
positive_data_acceptance.expected-statuses = [200, 201, 304, 308, 400, 404, 409, 422]
"""


def refs(value):
    """All references in a document."""
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "$ref" and isinstance(each, str))
        for each in value.values():
            yield from refs(each)
    elif isinstance(value, list):
        for each in value:
            yield from refs(each)


def test_every_route_is_in_the_document_and_every_reference_resolves():
    found = document(ROUTES)
    assert orjson.loads(orjson.dumps(found)) == found
    assert {(route.path, route.method.lower()) for route in ROUTES} == {
        (path, method) for path, methods in found["paths"].items() for method in methods
    }
    known = found["components"]["schemas"]
    assert all(each.removeprefix("#/components/schemas/") in known for each in refs(found))
    for methods in found["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert {"400", "503"} <= operation["responses"].keys()


def test_no_two_objects_of_the_document_share_a_name():
    """Otherwise one would hide the other."""
    from typing import get_type_hints, is_typeddict

    from edge.api import openapi

    seen = {}
    original = openapi._object

    def noting(schema, schemas):
        name = schema.__name__.strip("_")
        assert seen.setdefault(name, schema) is schema, name
        return original(schema, schemas)

    openapi._object = noting
    try:
        document(ROUTES)
    finally:
        openapi._object = original
    assert len(seen) > 20
    assert all(is_typeddict(each) or get_type_hints(each) for each in seen.values())


class Locked(ChangedNode):
    """A node whose questions are answered one at a time, as by a main thread."""

    _lock = threading.RLock()

    def ask(self, question):
        with self._lock:
            return question(self.node)


@pytest.fixture
def server():
    twins = [
        {"name": "roof", "kind": "pv", "power_w": 900.0},
        {"name": "heater", "kind": "load", "power_w": 400.0},
    ]
    gym = Locked(twins, lsas=64)
    gym.raw["regulator"] = {}
    gym = gym.boot()
    server = ApiServer("127.0.0.1", 0, gym.api, 8)
    server.start()
    yield server
    server.stop()
    assert gym.node.engine.faults == 0, gym.node.engine.last_fault
    gym.world.close()


@pytest.mark.skipif(
    not importlib.util.find_spec("schemathesis"), reason="needs schemathesis, of the extra dev"
)
@pytest.mark.parametrize("examples", ["8", pytest.param("60", marks=pytest.mark.proof)])
@pytest.mark.system
@pytest.mark.timeout(600)
def test_every_route_keeps_to_the_document(server, tmp_path, examples):
    """Streams are left out: they do not end. Sessions are too: wrong tokens make everybody wait."""
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "openapi.json").write_text(json.dumps(document(ROUTES)))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", "openapi.json"),
        *("--url", f"http://127.0.0.1:{server.port}"),
        *("--header", f"Authorization: Bearer {TOKENS['configure']}"),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", examples, "--seed", "1", "--generation-database", "none"),
        *("--exclude-path", "/api/v1/stream", "--exclude-path", "/api/v1/session"),
        *("--exclude-checks", "ignored_auth"),  # the node is on loopback, where all may read
    ]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment, timeout=580
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
