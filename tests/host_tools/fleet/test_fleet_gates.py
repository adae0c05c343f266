"""A fleet with gates: the files of both nodes of a machine, mistakes, a contract that crosses two of them."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence

import pytest
from fleet_site import Site, wait_until

from edge.config.check import load
from host_tools.broker import free_port
from host_tools.deploy.fleet_hosts import hosts
from host_tools.fleet import read_fleet

CHAIN = {
    "gym": ["pool"],
    "pool": ["gym"],
    "school": [],
    "q-gym": ["q-pool", "q-school"],
    "q-pool": ["q-gym"],
    "q-school": ["q-gym"],
}
MACHINES = ("gym", "pool", "school")
ORDERS = ("gym=q-gym, pool=q-pool", "school=q-school")


def name_gates(site: Site, *orders: str, machines: Sequence[str] = MACHINES) -> None:
    above = {pair.partition("=")[2] for order in orders for pair in order.split(", ")}
    site.write_fleet({name: ["127.0.0.1"] for name in machines if name not in above})
    with (site.deploy / "fleet.toml").open("a") as file:
        file.write("".join(f'\n[[holon]]\norder = "{each}"\n' for each in orders))


@pytest.fixture
def site(tmp_path) -> Site:
    made = Site(tmp_path, chain=CHAIN)
    name_gates(made, *ORDERS)
    return made


def files(site: Site, name: str) -> set[str]:
    place = site.out / name
    return {str(each.relative_to(place)) for each in place.rglob("*") if each.is_file()}


def test_a_machine_gets_the_files_of_both_its_nodes(site, capsys):
    assert site.provision("all") == 0
    assert "order = 'school=q-school': nothing passes while school is off" in capsys.readouterr().err
    names = ("node.toml", "acl", "acl.inside")
    own = {f"config/{name}" for name in names} | {f"keys/{name}" for name in ("node.key", "trust.key")}
    assert files(site, "gym") > own | {each.replace("/", "/q-gym.") for each in own}
    assert not (site.out / "q-gym").exists()
    inside = load(site.out / "gym/config/node.toml")
    outside = load(site.out / "gym/config" / inside.holon.parent)
    assert inside.holon.pairs == (("gym", "q-gym"), ("pool", "q-pool"))
    assert [(each.name, each.kind) for each in (*inside.twins, *outside.twins)] == [
        ("up", "holon"),
        ("down", "holon"),
    ]
    assert len({inside.state_dir, outside.state_dir}) == len({inside.api.port, outside.api.port}) == 2
    assert inside.neighbours[0].broker.tls.key != outside.neighbours[0].broker.tls.key
    broker = (site.out / "gym/config/mosquitto.conf").read_text()
    assert "listener 8883\n" in broker
    assert "listener 8884\n" in broker
    assert "user q-school\n" in (site.out / "gym/config/q-gym.acl").read_text()
    assert f":{outside.api.port}" in (site.out / "gym/config/authorized_keys").read_text()


def test_a_second_run_changes_nothing_and_a_gate_that_is_none_any_more_loses_its_files(site, capsys):
    assert site.provision("gym") == 0
    before = files(site, "gym")
    capsys.readouterr()
    assert site.provision("gym") == 0
    assert [line.split()[3] for line in capsys.readouterr().out.splitlines()[1:]] == ["0", "0"]
    (site.deploy / "nodes/q-gym.toml").unlink()
    for name in ("q-pool", "q-school"):
        site.write_node(name, [each for each in ("q-pool", "q-school") if each != name])
    name_gates(site, "pool=q-pool", ORDERS[1])
    assert site.provision("gym") == 0
    assert before - files(site, "gym") == {each for each in before if "q-gym." in each}
    assert load(site.out / "gym/config/node.toml").holon is None


def test_only_the_first_node_of_a_machine_learns_and_has_the_shared_devices(site):
    with (site.deploy / "fleet.toml").open("a") as file:
        file.write('[learning]\nnode_model = "markov"\n[limits]\nlsas = 300\n')
        file.write('[[twin]]\nname = "lamp"\nkind = "load"\n')
    nodes = {name: each.config for name, each in read_fleet(site.deploy).nodes.items()}
    assert [nodes[name].learning is None for name in ("gym", "q-gym")] == [False, True]
    assert [[twin.name for twin in nodes[name].twins] for name in ("gym", "q-gym")] == [
        ["lamp", "up"],
        ["down"],
    ]
    assert nodes["q-gym"].limits.lsas == 300


def test_both_nodes_of_a_machine_are_revoked_and_rotated_together(site):
    assert site.provision("gym") == 0
    keys = [site.out / "gym/keys" / name for name in ("node.key", "q-gym.node.key")]
    before = [each.read_bytes() for each in keys]
    assert site.provision("gym", "--rotate") == 0
    assert all(each.read_bytes() != old for each, old in zip(keys, before, strict=True))
    assert site.provision("gym", "--revoke") == 0
    assert not (site.out / "gym").exists()
    assert site.provision("gym") == 1


def test_only_machines_are_deployed_and_named(site, capsys):
    assert list(hosts(site.deploy)) == ["gym", "pool", "school"]
    assert site.provision("q-gym") == 2
    assert "q-gym is on the machine of gym" in capsys.readouterr().err


def test_a_machine_may_be_in_three_levels(site):
    for name in ("city", "town"):
        site.inside[name], site.outside[name] = free_port(), free_port()
    site.write_node("city", ["town"])
    site.write_node("town", ["city"])
    name_gates(site, *ORDERS, "q-gym=city, q-pool=town")
    fleet = read_fleet(site.deploy)
    assert [node.name for node in fleet.machines["gym"]] == ["gym", "q-gym", "city"]
    middle = fleet.nodes["q-gym"].config
    assert sorted(twin.name for twin in middle.twins) == ["down", "up"]
    assert str(middle.holon.parent) == "city.node.toml"
    assert [node.port for node in fleet.machines["gym"]] == [8883, 8884, 8885]


@pytest.mark.parametrize(
    ("orders", "named"),
    [
        (("gym",), "holon[0].order = 'gym': must be pairs such as"),
        (("",), "holon[0].order = '': must name the gates"),
        (("gym=q-bath",), "holon[0].order = 'gym=q-bath': unknown node q-bath"),
        (("gym=q-gym, gym=q-pool",), "node gym is there twice"),
        ((*ORDERS, "gym=q-pool"), "holon[2].order = 'gym=q-pool': node gym has a parent already: q-gym"),
        ((*ORDERS, "q-school=q-gym"), "node q-gym is that of gym already"),
        (("gym=q-gym", "q-gym=gym"), "holon[1].order = 'q-gym=gym': node q-gym would be above itself"),
        (("gym=q-gym", "pool=q-pool"), "holon[1].order = 'pool=q-pool': the microgrid of gym has an order"),
        (("gym=q-gym, school=q-school",), "no links lead from gym to school, so they are in two microgrids"),
        (("gym=pool",), "the microgrid of gym would be its own parent"),
        (("gym=q-gym", "q-pool=school", "school=pool"), "the microgrid of school would be its own parent"),
    ],
)
def test_a_mistake_in_an_order_is_named(site, capsys, orders, named):
    name_gates(site, *orders)
    assert site.provision("all", "--check") == 2
    error = capsys.readouterr().err
    assert f"{site.deploy / 'fleet.toml'}: holon[" in error
    assert named in error


@pytest.mark.parametrize(
    ("name", "more", "named"),
    [
        (
            "pool",
            '[[twin]]\nname = "up"\nkind = "holon"',
            "twin[0].name = 'up': no order in fleet.toml has it",
        ),
        ("gym", '[[twin]]\nname = "up"\nkind = "load"', 'holon.twin = "up": there is no [[twin]] of kind'),
        ("gym", '[holon]\nparent = "q-gym.toml"', "holon = '...': this table is written by `provision`"),
        ("q-gym", "[api]\nport = 8080", "api.port = 8080: on the same machine this is api.port of gym"),
        ("q-gym", "[api]\nport = 8883", "api.port = 8883: on the same machine this is"),
    ],
)
def test_a_mistake_at_a_gate_is_named_with_its_file(site, capsys, name, more, named):
    name_gates(site, "gym=q-gym", "school=q-school", machines=(*MACHINES, "q-pool"))
    site.write_node(name, CHAIN[name], more)
    assert site.provision("all", "--check") == 2
    assert f"{site.deploy / 'nodes' / name}.toml: {named}" in capsys.readouterr().err


def test_a_node_of_a_parent_has_no_address_of_its_own(site, capsys):
    name_gates(site, ORDERS[0])
    with (site.deploy / "fleet.toml").open("a") as file:
        file.write('[network.q-gym]\naddress = "10.0.0.2/24"\n')
    assert site.provision("all", "--check") == 2
    error = capsys.readouterr().err
    assert "network.q-gym = Network(" in error
    assert "this node is on the machine of gym" in error


def test_a_contract_crosses_two_provisioned_gates_over_tls(tmp_path):
    chain = {"gym": [], "school": [], "q-gym": ["q-school"], "q-school": ["q-gym"]}
    site = Site(tmp_path, chain=chain)
    name_gates(site, "gym=q-gym", "school=q-school", machines=("gym", "school"))
    port, processes = free_port(), []
    for name, twin in (
        ("gym", 'name = "lamp"\nkind = "load"\npower_w = 500.0'),
        ("school", 'name = "roof"\nkind = "pv"\npower_w = 900.0'),
    ):
        api = port if name == "gym" else free_port()
        site.write_node(name, [], f"[api]\nport = {api}\n[[twin]]\n{twin}")
        site.write_node(f"q-{name}", chain[f"q-{name}"], "[api]\nport = 0")
    try:
        for name in ("gym", "school"):
            assert site.provision(name) == 0
            command = [sys.executable, "-m", "edge", "run", "--config", str(site.install(name))]
            site.broker(name, f"q-{name}")
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))

        def supplied() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/twins", timeout=2) as answer:
                    return any(
                        each["name"] == "gym.lamp" and each["consumed_w"] for each in json.load(answer)
                    )
            except OSError:
                return False

        wait_until(supplied, timeout_s=30)
    finally:
        for process in processes:
            process.terminate()
        codes = [process.wait(10) for process in processes]
        site.stop()
    assert codes == [0, 0]
