"""Sharing keys: the identities that every division keeps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.energy.sharing import (
    QUARTER_S,
    WHOLE,
    Capped,
    Dynamic,
    Entry,
    Hourly,
    Span,
    Static,
    Virtual,
    apportion,
    members_at,
    share,
    steps,
)
from edge.terms import Quality

NAMES = ("a", "b", "c", "d", "e")
ENERGY = st.integers(0, 5000) | st.just(0)
ENTRY = st.builds(Entry, ENERGY, ENERGY, st.sampled_from([Quality.MEASURED, Quality.FILLED]))
STEP = st.dictionaries(st.sampled_from(NAMES), ENTRY, max_size=5)


@st.composite
def parts(draw):
    weights = draw(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 100), min_size=1))
    return apportion(WHOLE, weights) if sum(weights.values()) else {NAMES[0]: WHOLE}


@st.composite
def keys(draw):
    fixed = draw(parts())
    return draw(
        st.sampled_from(
            [
                Dynamic(),
                Virtual(),
                Static(parts=fixed),
                Capped(parts=fixed),
                Hourly(parts={name: [part] * 24 for name, part in fixed.items()}),
            ]
        )
    )


def fed_in(step):
    return sum(entry.injected_wh for entry in step.values())


def drawn(step):
    return sum(entry.withdrawn_wh for entry in step.values())


@given(keys(), STEP, st.integers(0, 10**6).map(lambda n: n * QUARTER_S))
@settings(max_examples=300, deadline=None)
def test_nobody_receives_more_than_it_drew_or_gives_more_than_it_fed_in_and_sums_are_exact(key, step, at_s):
    shares = share(key, step, at_s)
    assert shares.keys() == step.keys()
    for member, each in shares.items():
        assert 0 <= each.received_wh <= step[member].withdrawn_wh
        assert 0 <= each.given_wh <= step[member].injected_wh
    received = sum(each.received_wh for each in shares.values())
    assert received == sum(each.given_wh for each in shares.values())
    assert received <= min(fed_in(step), drawn(step))
    surplus = sum(step[member].injected_wh - each.given_wh for member, each in shares.items())
    assert received + surplus == fed_in(step)


@given(STEP)
def test_dynamic_reaches_the_ceiling_exactly(step):
    shares = share(Dynamic(), step)
    assert sum(each.received_wh for each in shares.values()) == min(fed_in(step), drawn(step))


@given(STEP, parts())
def test_capped_passes_on_what_a_member_cannot_use_and_gives_at_least_as_much_as_static(step, fixed):
    static, capped = share(Static(parts=fixed), step), share(Capped(parts=fixed), step)
    shared = sum(each.received_wh for each in capped.values())
    assert shared >= sum(each.received_wh for each in static.values())
    with_part = sum(entry.withdrawn_wh for name, entry in step.items() if fixed.get(name))
    assert shared == min(fed_in(step), with_part)


@given(st.integers(0, 10**6), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**6)))
def test_apportioned_parts_have_the_whole_as_their_sum_and_differ_from_the_exact_part_by_less_than_one(
    whole, weights
):
    found, total = apportion(whole, weights), sum(weights.values())
    assert sum(found.values()) == (whole if total else 0)
    for name, part in found.items():
        assert not total or abs(part - whole * weights[name] / total) < 1


@given(STEP, keys())
def test_the_order_of_members_does_not_matter(step, key):
    assert share(key, dict(reversed(step.items()))) == share(key, step)


@given(STEP)
def test_a_missing_member_takes_no_part_and_the_others_are_told(step):
    with_missing = {**step, "z": Entry(0, 0, Quality.MISSING)}
    shares = share(Dynamic(), with_missing)
    assert shares["z"].received_wh == shares["z"].given_wh == 0
    assert shares["z"].quality is Quality.MISSING
    assert all(each.sure is Quality.MISSING for each in shares.values())
    for name, each in share(Dynamic(), step).items():
        assert shares[name][:3] == each[:3]


def test_qualities_are_carried():
    step = {"a": Entry(100, 0), "b": Entry(0, 50, Quality.FILLED), "c": Entry(0, 50)}
    shares = share(Dynamic(), step)
    assert shares["b"].quality is Quality.FILLED
    assert shares["c"].quality is Quality.MEASURED
    assert {each.sure for each in shares.values()} == {Quality.FILLED}


def test_hours_are_the_sum_of_their_quarters_and_one_missing_quarter_makes_the_hour_missing():
    quarters = [(i * QUARTER_S, {"a": Entry(0, 10), "b": Entry(40 if i == 0 else 0, 0)}) for i in range(4)]
    ((at_s, hour),) = steps(Virtual(), quarters)
    assert (at_s, hour) == (0, {"a": Entry(0, 40), "b": Entry(40, 0)})
    assert share(Virtual(), hour)["a"].received_wh == 40  # quarter by quarter it would be 10
    quarters[2][1]["b"] = Entry(0, 0, Quality.MISSING)
    ((_, hour),) = steps(Virtual(), quarters)
    assert hour["b"].quality is Quality.MISSING
    assert list(steps(Dynamic(), quarters)) == quarters


def test_each_hour_has_its_own_coefficients():
    early, late = [WHOLE] * 12 + [0] * 12, [0] * 12 + [WHOLE] * 12
    key = Hourly(parts={"a": early, "b": late})
    step = {"a": Entry(0, 100), "b": Entry(0, 100), "roof": Entry(80, 0)}
    assert share(key, step, 11 * 3600)["a"].received_wh == 80
    assert share(key, step, 12 * 3600)["b"].received_wh == 80
    assert share(key, step, 12 * 3600)["a"].received_wh == 0


@pytest.mark.parametrize("wrong", [{"a": WHOLE - 1}, {"a": WHOLE + 1, "b": -1}, {}])
def test_coefficients_that_are_not_parts_of_one_are_refused(wrong):
    with pytest.raises(ValueError, match="sum 1"):
        Static(parts=wrong)


def test_hours_need_a_whole_day_or_year():
    with pytest.raises(ValueError, match="24"):
        Hourly(parts={"a": [WHOLE] * 23})


def test_members_join_and_leave_at_a_quarter_hour():
    spans = {"a": [Span()], "b": [Span(QUARTER_S, 3 * QUARTER_S)], "c": [Span(until_s=QUARTER_S)]}
    assert [members_at(spans, i * QUARTER_S) for i in range(4)] == [
        {"a", "c"},
        {"a", "b"},
        {"a", "b"},
        {"a"},
    ]
    with pytest.raises(ValueError, match="quarter-hour"):
        members_at({"a": [Span(100.0)]}, 0)


def test_an_energy_below_zero_is_refused():
    with pytest.raises(ValueError, match="below 0"):
        share(Dynamic(), {"a": Entry(-1, 0)})
