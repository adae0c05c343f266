"""Counters of what goes wrong count only while it goes on."""

from edge.recent import Recent


def test_growth_is_counted_from_when_it_was_quiet_and_forgotten_five_minutes_after_the_last():
    recent = Recent()
    recent.note("refused", 0, 0.0)
    assert recent.growth("refused", 0.0) == 0
    recent.note("refused", 3, 10.0)
    recent.note("refused", 5, 200.0)
    assert recent.growth("refused", 499.0) == 5
    assert recent.growth("refused", 501.0) == 0
    recent.note("refused", 6, 1000.0)
    assert recent.growth("refused", 1000.0) == 1


def test_what_was_never_noted_has_not_grown():
    assert Recent().growth("anything", 5.0) == 0
