"""Messages survive encoding and parsing; invalid ones are refused."""

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from edge.energy.messages import Answer, Contract, Offer, Part, Priority, Request, encode_answers, round_w
from edge.energy.parsing import (
    lenient,
    parse_answers,
    parse_contract,
    parse_offer,
    parse_parts,
    parse_request,
)
from edge.energy.rules import with_margin

powers = st.floats(0.01, 1e6).map(round_w)
ids = st.integers(0, 2**53)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


alerts = st.none() | st.floats(0, 1e6).map(lambda s: round(s, 1))


@given(ids, powers, st.sampled_from(Priority), alerts, st.booleans(), st.floats(0, 1))
def test_a_request_survives_encoding(number, power_w, priority, alert_s, partial, spare):
    spare_w = round_w(spare * power_w)
    request = Request(number, power_w, priority, alert_s is not None, alert_s or 0.0, partial, spare_w)
    assert parse_request(request.encode()) == request
    assert 0 <= request.least_w <= power_w


@given(ids, powers, st.integers(0, 9), st.floats(0, 1e6), st.just(0.0) | powers)
def test_an_offer_survives_encoding(number, power_w, impact, price, urgent_w):
    offer = Offer(number, power_w, round_w(with_margin(power_w)), impact, price, urgent_w)
    assert parse_offer(offer.encode()) == offer


def test_an_offer_of_nothing_is_refused_unless_interruptions_would_help():
    assert lenient(parse_offer)(Offer(1, 0.0, 0.0, 3).encode()) is None
    assert parse_offer(Offer(1, 0.0, 0.0, 3, urgent_w=50.0).encode()).urgent_w == 50.0


@given(ids, st.booleans(), st.lists(powers, min_size=1, max_size=8), st.sampled_from(Priority))
def test_a_contract_survives_encoding(number, valid, shares, priority):
    parts = tuple(Part(f"n.p{i}", w, round_w(with_margin(w))) for i, w in enumerate(shares))
    contract = Contract(number, 3, valid, 60, priority, parts)
    assert parse_contract(contract.encode()) == contract


answers_of_one = st.lists(
    st.builds(Answer, ids, st.booleans(), st.just(math.inf) | powers), min_size=1, max_size=3
).map(tuple)


@given(st.dictionaries(st.text(min_size=1, max_size=8), answers_of_one, max_size=5))
def test_a_confirmation_table_survives_encoding(answers):
    assert parse_answers(encode_answers(answers)) == answers


shares_of_contracts = st.dictionaries(st.sampled_from(["a.p", "b.p", "c.p"]), powers, min_size=1)


@given(shares_of_contracts, shares_of_contracts)
def test_a_merged_contract_gives_the_sum_supplier_by_supplier(main, extra):
    both = [
        Contract(
            i,
            4,
            True,
            60,
            Priority.LOW,
            tuple(Part(name, w, round_w(with_margin(w))) for name, w in shares.items()),
        )
        for i, shares in enumerate((main, extra))
    ]
    merged = both[0].merged(both[1])
    assert (merged.id, merged.revision) == (0, 5)
    assert {part.supplier for part in merged.parts} == set(main) | set(extra)
    for part in merged.parts:
        assert part.power_w == pytest.approx(main.get(part.supplier, 0.0) + extra.get(part.supplier, 0.0))
    assert merged.max_w == pytest.approx(both[0].max_w + both[1].max_w)


@given(st.lists(powers, min_size=1, max_size=6), st.floats(0.2, 1.0), st.booleans())
def test_a_restated_contract_gives_what_is_used_and_reserves_no_more_than_before(shares, ratio, shrink):
    parts = tuple(Part(f"n.p{i}", w, round_w(with_margin(w))) for i, w in enumerate(shares))
    contract = Contract(1, 0, True, 60, Priority.LOW, parts)
    use_w = round_w(contract.power_w * ratio) or 0.001
    restated = contract.use(use_w, shrink)
    assert restated.power_w == pytest.approx(use_w, abs=0.001 * (len(parts) + 1))
    assert restated.revision == 1
    assert all(new.max_w <= old.max_w for new, old in zip(restated.parts, parts, strict=True))
    assert all(new.power_w <= new.max_w + 0.001 for new in restated.parts)


def test_use_beyond_one_suppliers_reserve_falls_to_the_others():
    contract = Contract(1, 0, True, 60, Priority.LOW, (Part("a.p", 50.0, 50.0), Part("b.p", 50.0, 60.0)))
    assert [part.power_w for part in contract.use(104.0, False).parts] == [50.0, 54.0]


@pytest.mark.parametrize("parse", [parse_request, parse_offer, parse_contract, parse_answers])
@given(value=json_values)
def test_any_json_is_parsed_or_refused(parse, value):
    try:
        data = orjson.dumps(value)
    except TypeError:
        return
    lenient(parse)(data)  # must not raise
    lenient(parse)(msgpack.encode(value))


@pytest.mark.parametrize("parse", [parse_offer, parse_parts, parse_answers])
@given(st.binary(max_size=80))
def test_any_bytes_are_parsed_or_refused(parse, data):
    lenient(parse)(data)  # must not raise
    lenient(parse)(b"\x91" * 3000 + data)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"nan",
        b'{"id":1}',
        b'{"id":1,"w":-5,"prio":0}',
        b'{"id":1,"w":1e400,"prio":0}',
        b'{"id":true,"w":5,"prio":0}',
        b'{"id":1,"w":true,"prio":0}',
        b'{"id":1,"w":5,"prio":3}',
        b'{"id":1,"w":5,"prio":0,"alert_s":-1}',
        b'{"id":1,"w":1e9,"prio":0}',
    ],
)
def test_a_bad_request_is_refused(text):
    assert lenient(parse_request)(text) is None


@pytest.mark.parametrize(
    "parts",
    [[], [["a.p", 5, 4]], [["a.p", 5, 5], ["a.p", 5, 5]], [["a.p", 5]], [[1, 5, 5]], [["a", 1, 1]] * 33, "x"],
)
def test_a_bad_contract_is_refused(parts):
    text = orjson.dumps({"id": 1, "rev": 0, "ok": True, "ttl": 60, "prio": 0, "parts": parts})
    assert lenient(parse_contract)(text) is None
