"""Shapes of a microgrid, and files of them."""

import pytest

from host_tools.sim.topology import TopologyError, parse, parts


def edges(links):
    return {frozenset((name, other)) for name, others in links.items() for other in others}


@pytest.mark.parametrize(
    ("spec", "nodes", "count"),
    [
        ("chain:4", 4, 3),
        ("chain:1", 1, 0),
        ("ring:6", 6, 6),
        ("ring:2", 2, 1),
        ("full:5", 5, 10),
        ("star:5", 5, 4),
        ("grid:3x4", 12, 17),
        ("grid:1x3", 3, 2),
        ("random:20:3", 20, 30),
        ("random:5:4", 5, 10),
        ("random:1:1", 1, 0),
    ],
)
def test_a_shape_has_its_links_both_ways_and_hangs_together(spec, nodes, count):
    links = parse(spec)
    assert len(links) == nodes
    assert len(edges(links)) == count
    assert all(name in links[other] for name, others in links.items() for other in others)
    assert set(parts(links).values()) == {0}


def test_nodes_of_a_part_are_in_the_order_of_the_links():
    links = {f"node{number}": [f"node{(number + step) % 30}" for step in (1, 29)] for number in range(30)}
    assert list(parts(links)) == list(links), "else a storm would not be that of its seed"


def test_a_random_shape_is_that_of_its_seed():
    assert parse("random:20:3", 7) == parse("random:20:3", 7)
    assert parse("random:20:3", 7) != parse("random:20:3", 8)


@pytest.mark.parametrize(
    "spec",
    [
        "chain",
        "chain:0",
        "chain:x",
        "grid:3",
        "grid:-2x-2",
        "random:5",
        "random:5:0",
        "random:5:5",
        "tree:4",
        "ring:9999",
    ],
)
def test_what_is_no_shape_is_refused_by_its_value(spec):
    with pytest.raises(TopologyError, match=spec):
        parse(spec)


def test_a_degree_that_cannot_be_means_all_to_all_where_asked():
    assert len(edges(parse("random:4:9", capped=True))) == 6


def test_a_file_may_have_links_that_go_one_way(tmp_path):
    path = tmp_path / "nodes.toml"
    path.write_text('a = ["b"]\nb = ["a", "c"]\nc = []\n')
    links = parse(str(path))
    assert links == {"a": ["b"], "b": ["a", "c"], "c": []}
    of = parts(links)
    assert of["a"] == of["b"] != of["c"]  # c hears but is not heard


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"a": ["b"]}', "'b'"),
        ('{"a": ["a"]}', "'a'"),
        ('{"A b": []}', "A b"),
        ('{"a": 1}', "a = 1"),
        ("{", "cannot"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path, text, named):
    path = tmp_path / "nodes.json"
    path.write_text(text)
    with pytest.raises(TopologyError, match=named):
        parse(str(path))
