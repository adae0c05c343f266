"""What stands in messages survives the journey; what does not fit is refused."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.messages import (
    Answer,
    Contract,
    Offer,
    Part,
    Priority,
    Request,
    encode_answers,
    lenient,
    parse_answers,
    parse_contract,
    parse_offer,
    parse_request,
    round_w,
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


@given(ids, powers, st.sampled_from(Priority))
def test_a_request_survives(number, power_w, priority):
    request = Request(number, power_w, priority, 2.5)
    assert parse_request(request.encode()) == request


@given(ids, powers, st.integers(0, 9))
def test_an_offer_survives(number, power_w, impact):
    offer = Offer(number, power_w, round_w(with_margin(power_w)), impact)
    assert parse_offer(offer.encode()) == offer


@given(ids, st.booleans(), st.lists(powers, min_size=1, max_size=8))
def test_a_contract_survives(number, valid, shares):
    parts = tuple(Part(f"n.p{i}", w, round_w(with_margin(w))) for i, w in enumerate(shares))
    contract = Contract(number, 3, valid, 60, parts)
    assert parse_contract(contract.encode()) == contract


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8), st.tuples(st.integers(0, 2**53), st.booleans()), max_size=5
    )
)
def test_a_confirmation_table_survives(rows):
    answers = {name: Answer(*row) for name, row in rows.items()}
    assert parse_answers(encode_answers(answers)) == answers


@given(st.lists(powers, min_size=1, max_size=6), st.floats(0.2, 1.0), st.booleans())
def test_a_restated_contract_gives_what_is_used_and_reserves_no_more_than_before(shares, ratio, shrink):
    parts = tuple(Part(f"n.p{i}", w, round_w(with_margin(w))) for i, w in enumerate(shares))
    contract = Contract(1, 0, True, 60, parts)
    use_w = round_w(contract.power_w * ratio) or 0.001
    restated = contract.use(use_w, shrink)
    assert restated.power_w == pytest.approx(use_w, abs=0.001 * (len(parts) + 1))
    assert restated.revision == 1
    assert all(new.max_w <= old.max_w for new, old in zip(restated.parts, parts, strict=True))
    assert all(new.power_w <= new.max_w + 0.001 for new in restated.parts)


def test_use_beyond_one_suppliers_reserve_falls_to_the_others():
    contract = Contract(1, 0, True, 60, (Part("a.p", 50.0, 50.0), Part("b.p", 50.0, 60.0)))
    assert [part.power_w for part in contract.use(104.0, False).parts] == [50.0, 54.0]


@pytest.mark.parametrize("parse", [parse_request, parse_offer, parse_contract, parse_answers])
@given(value=json_values)
def test_any_json_is_parsed_or_refused(parse, value):
    try:
        data = orjson.dumps(value)
    except TypeError:
        return
    lenient(parse)(data)  # must not raise


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"nan", b'{"id":1}', b'{"id":1,"w":-5,"prio":0,"waited_s":0}',
        b'{"id":1,"w":1e400,"prio":0,"waited_s":0}', b'{"id":true,"w":5,"prio":0,"waited_s":0}',
        b'{"id":1,"w":true,"prio":0,"waited_s":0}', b'{"id":1,"w":5,"prio":3,"waited_s":0}',
        b'{"id":1,"w":5,"prio":0,"waited_s":-1}', b'{"id":1,"w":1e9,"prio":0,"waited_s":0}',
    ],
)  # fmt: skip
def test_a_bad_request_is_refused(text):
    assert lenient(parse_request)(text) is None


@pytest.mark.parametrize(
    "parts",
    [[], [["a.p", 5, 4]], [["a.p", 5, 5], ["a.p", 5, 5]], [["a.p", 5]], [[1, 5, 5]], [["a", 1, 1]] * 33, "x"],
)
def test_a_bad_contract_is_refused(parts):
    text = orjson.dumps({"id": 1, "rev": 0, "ok": True, "ttl": 60, "parts": parts})
    assert lenient(parse_contract)(text) is None
