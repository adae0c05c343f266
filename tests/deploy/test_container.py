"""The container recipe, as far as it can be checked without a container engine: files, names, limits."""

from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
CONTAINER = REPOSITORY / "deploy/container"
NODES = sorted(file.stem for file in (REPOSITORY / "deploy/nodes").glob("*.toml"))


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]


def test_there_is_a_node_and_a_broker_for_each_node_of_the_fleet(services):
    assert sorted(services) == sorted([*NODES, *(f"{name}-broker" for name in NODES)])


@pytest.mark.parametrize("name", NODES)
def test_a_node_shares_the_network_of_its_broker_and_has_the_name_of_its_certificate(name, services):
    node, broker = services[name], services[f"{name}-broker"]
    assert node["network_mode"] == f"service:{name}-broker"
    assert broker["networks"]["lan"]["aliases"] == [f"{name}.local"]
    assert node["mem_limit"] == node["memswap_limit"] == "64m"
    assert node["cap_drop"] == broker["cap_drop"] == ["ALL"]
    assert "ports" not in node
    assert "ports" not in broker


@pytest.mark.parametrize("name", NODES)
def test_the_files_of_provision_are_where_its_configuration_says(name, services):
    mounts = {}
    for each in (name, f"{name}-broker"):
        for volume in services[each]["volumes"]:
            source, target, *mode = volume.split(":")
            assert source.startswith(f"../../build/container/{name}/")
            assert mode == ([] if target.endswith("/state") else ["ro"])
            mounts[each, target] = source
    assert {target for each, target in mounts if each == name} == {
        "/data/edge/config",
        "/data/edge/keys",
        "/data/edge/state",
    }
    assert (f"{name}-broker", "/data/mosquitto/keys") in mounts


def test_the_recipe_copies_only_what_exists_and_starts_the_service():
    lines = (CONTAINER / "Dockerfile").read_text().splitlines()
    copied = [
        word
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    assert copied
    assert all((REPOSITORY / name).exists() for name in copied)
    assert 'ENTRYPOINT ["python", "-sP", "-m", "edge"]' in lines
    assert any("--constraint constraints.txt" in line for line in lines)
    assert "USER edge" in lines
