"""The fleet view asks only for what nodes really push, and the database takes what they push."""

import base64
import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from edge.clock import Date
from edge.config.settings import PushSettings
from edge.history.store import Store
from edge.push.pusher import Pusher
from edge.terms import SCOPES, VARIABLES
from host_tools.broker import die_with_parent, free_port
from host_tools.setup.debs import TOOLS, unpack
from host_tools.world.clock import VirtualClock

REPOSITORY = Path(__file__).parents[2]
VIEW = REPOSITORY / "deploy/fleet_view"
BOARD = json.loads((VIEW / "dashboards/microgrid.json").read_text())
SERVICES = yaml.safe_load((VIEW / "compose.yaml").read_text())["services"]
WORDS = re.compile(r"microgrid_[a-z_]+")
NODE_LIST = BOARD["templating"]["list"][0]["query"]["query"]
PUSH_PASSWORD = "a b:c"
AUTHORIZATION = "Basic " + base64.b64encode(f"push:{PUSH_PASSWORD}".encode()).decode()


def queries():
    return [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def history(folder, clock, minutes=40):
    """A node's history of some minutes and quarter-hours until now."""
    store = Store(folder / "history.sqlite", clock, date=Date(clock))
    first = int(clock.wall_s() // 60) - minutes
    for minute in range(first, first + minutes):
        store.note_minute("node", minute, (100.0, 200.0, 90.0, 80.0, 10.0, 120.0))
        store.note_minute("cluster", minute, (1000.0, 2000.0, 900.0, 800.0, 100.0, 1200.0))
        if minute % 15 == 0:
            store.note_energy(minute, "gym.lamp", "", 25.0, 0.0, 900)
            store.note_energy(minute, "gym.lamp", "school.roof", 20.0, 0.0, 900)
            store.note_energy(minute, "gym.roof", "", 0.0, 50.0, 300)
    store.write()
    return store


class Lines(Pusher):
    """A pusher that keeps the lines in place of sending them."""

    def lines(self):
        found = []
        while (batch := self._next_batch()) is not None:
            found += batch.lines
            self._places = {**(self._places or {}), **batch.places}
        return found


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """Metrics as VictoriaMetrics names them, `measurement_field`: for each, the tags that a node sends."""
    folder, clock = tmp_path_factory.mktemp("node"), VirtualClock()
    store = history(folder, clock)
    pusher = Lines("gym", PushSettings(url="http://x/write"), store, clock, Date(clock), random.Random(1))
    found = {}
    for line in pusher.lines():
        series, fields, _ = line.split(" ")
        measurement, *tags = series.split(",")
        for field in fields.split(","):
            name = f"{measurement}_{field.partition('=')[0]}"
            found.setdefault(name, {}).update(tag.split("=") for tag in tags)
    store.close()
    return found


def test_a_node_pushes_what_its_page_says(pushed):
    assert pushed.keys() == {
        *(f"microgrid_power_{each}_w" for each in VARIABLES),
        "microgrid_energy_drawn_wh",
        "microgrid_energy_given_wh",
    }


@pytest.mark.parametrize("expression", [*queries(), NODE_LIST])
def test_every_metric_and_label_of_the_dashboard_is_one_that_nodes_push(expression, pushed):
    named = WORDS.findall(expression)
    assert named
    assert set(named) <= pushed.keys()
    labels = re.findall(r'([a-z]+)(?:=~|!=|!~|=)"', expression)
    for group in re.findall(r"by \(([^)]*)\)", expression):
        labels += [each.strip() for each in group.split(",")]
    for name in named:
        assert set(labels) <= pushed[name].keys()
    assert set(re.findall(r'scope="([a-z]*)"', expression)) <= set(SCOPES)


def test_legends_name_labels_that_the_query_leaves(pushed):
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            left = re.findall(r"by \(([^)]*)\)", target["expr"])
            labels = set(re.split(r",\s*", left[0])) if left else set(pushed[WORDS.search(target["expr"])[0]])
            assert wanted <= labels, target["expr"]


def test_each_panel_has_its_place_its_source_and_its_unit():
    uid = yaml.safe_load((VIEW / "provisioning/datasources/victoriametrics.yaml").read_text())["datasources"][
        0
    ]
    places = set()
    for panel in BOARD["panels"]:
        assert panel["datasource"]["uid"] == uid["uid"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {uid["uid"]}
        assert panel["fieldConfig"]["defaults"]["unit"]
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places
        assert max(x for x, _ in cells) < 24
        places |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_the_recipe_pins_versions_and_has_no_password_of_its_own():
    text = (VIEW / "compose.yaml").read_text()
    for service in SERVICES.values():
        assert re.fullmatch(r"docker\.io/[\w/-]+:v?\d+\.\d+\.\d+", service["image"])
        assert service["mem_limit"]
        assert service["cap_drop"] == ["ALL"]
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"PUSH_PASSWORD", "GRAFANA_PASSWORD"}
    mounts = [volume.split(":")[0] for volume in SERVICES["grafana"]["volumes"] if volume.startswith(".")]
    assert all((VIEW / each).is_dir() for each in mounts)
    (source,) = yaml.safe_load((VIEW / "provisioning/datasources/victoriametrics.yaml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://victoriametrics:8428"
    assert source["basicAuthUser"] == SERVICES["victoriametrics"]["environment"]["VM_httpAuth_username"]
    (provider,) = yaml.safe_load((VIEW / "provisioning/dashboards/microgrid.yaml").read_text())["providers"]
    assert provider["options"]["path"] in [v.split(":")[1] for v in SERVICES["grafana"]["volumes"]]


# ---- with the real database --------------------------------------------------------------------------


class VictoriaMetrics:
    """The database of Debian's package with the options of the recipe, on loopback."""

    def __init__(self, folder):
        program = TOOLS / "victoria-metrics/usr/bin/victoria-metrics"
        if not program.exists():
            unpack("victoria-metrics", TOOLS / "victoria-metrics")
        self.port = free_port()
        own = {"-storageDataPath": str(folder / "storage"), "-httpListenAddr": f"127.0.0.1:{self.port}"}
        given = [each for each in SERVICES["victoriametrics"]["command"] if each.partition("=")[0] not in own]
        settings = SERVICES["victoriametrics"]["environment"] | {"VM_httpAuth_password": PUSH_PASSWORD}
        self.log = folder / "victoriametrics.log"
        self.process = subprocess.Popen(
            [program, *(f"{key}={value}" for key, value in own.items()), *given],
            env={**os.environ, **settings},
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
        )
        wait_until(self.is_up)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/write"

    def is_up(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/health") == b"OK"
        except OSError:
            return False

    def get(self, path, authorization=AUTHORIZATION, **query):
        address = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(address, headers={"Authorization": authorization})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def ask(self, expression, at_s=None):
        self.get("/internal/force_flush")
        asked = {"query": expression} | ({"time": at_s} if at_s else {})
        return json.loads(self.get("/api/v1/query", **asked))["data"]["result"]

    def close(self):
        self.process.kill()
        self.process.wait()


def wait_until(condition, timeout_s=60.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def database(tmp_path):
    made = VictoriaMetrics(tmp_path)
    yield made
    made.close()


class Now:
    """A clock of today, as the database does not take points of another time."""

    def now_s(self):
        return time.monotonic()

    def wall_s(self):
        return time.time()


@pytest.mark.proof
def test_the_real_database_takes_a_history_once_and_answers_every_panel(tmp_path, database):
    clock = Now()
    store = history(tmp_path, clock)
    (tmp_path / "push.token").write_text(AUTHORIZATION)
    given = PushSettings(url=database.url, token_file=str(tmp_path / "push.token"))
    for _ in range(2):  # all rows a second time: the database keeps each once
        pusher = Pusher("gym", given, store, clock, Date(clock), random.Random(1))
        pusher._places = {}
        while pusher.step() < given.every_s:
            assert not pusher.failures
    store.close()
    (rows,) = database.ask('count_over_time(microgrid_power_requested_w{node="gym",scope="node"}[2h])')
    assert 37 <= int(rows["value"][1]) <= 40
    at_s = int(time.time())
    for expression in queries():
        asked = expression.replace("$node", ".*").replace("$__range", "24h")
        found = database.ask(asked) or database.ask(asked, at_s - 20 * 60)  # quarter-hours are over by then
        assert found, asked
    (sum_w,) = database.ask(queries()[1].replace("$node", ".*"))
    assert float(sum_w["value"][1]) == 100.0
    with pytest.raises(urllib.error.HTTPError, match="401"):
        database.get("/api/v1/query", "Basic cHVzaDpubw==", query="up")


@pytest.mark.proof
@pytest.mark.timeout(500)
def test_the_nodes_of_a_run_push_to_it(tmp_path, database):
    (tmp_path / "push.token").write_text(AUTHORIZATION)
    command = [sys.executable, "-m", "host_tools", "run", "--duration", "200", "--out", tmp_path / "run"]
    command += ["--push", database.url, "--push-token", tmp_path / "push.token"]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=420,
    )
    assert done.returncode == 0, done.stderr
    nodes = {"primary", "afterschool", "gym", "underground"}
    for variable in VARIABLES:
        found = database.ask(f'last_over_time(microgrid_power_{variable}_w{{scope="node"}}[10m])')
        assert {each["metric"]["node"] for each in found} == nodes
    (sums,) = database.ask('sum(last_over_time(microgrid_power_requested_w{scope="node"}[10m]))')
    assert float(sums["value"][1]) > 1000.0
