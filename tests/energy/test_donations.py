"""A donation is booked once, whatever happens to the messages, and both books agree."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.energy.donations import (
    DONORS_MAX,
    EVERY_S,
    LEAST_WH,
    Donation,
    Donations,
    Donor,
    encode_receipts,
    parse_donation,
    parse_receipts,
)


def take(donations, donor, donation, room_wh=1e9, now_s=0.0):
    """What a storage does with a donation that it sees."""
    if donations.is_new(donor, donation):
        wh = min(donations.credible_wh(donor, donation, now_s), room_wh)
        donations.book(donor, donation, int(1000 * wh + 1e-6))


@settings(max_examples=30)  # each of a minute with hundreds of messages
@given(st.data())
def test_lost_repeated_and_late_messages_change_no_book(data):
    donors = {name: Donor(number, 1.0) for number, name in enumerate(("a.x", "b.y"))}
    donations = Donations(5_000.0)
    sent, answers = [], []
    for now_s in range(60):
        for name, donor in donors.items():
            donor.step(data.draw(st.floats(0.0, 900.0)), True, float(now_s))
            if donor.pending:
                sent.append((name, donor.pending))
        for name, donation in data.draw(st.lists(st.sampled_from(sent), max_size=3)) if sent else ():
            take(donations, name, donation, now_s=float(now_s))
            answers.append((name, donations.receipts[name]))
        for name, receipt in data.draw(st.lists(st.sampled_from(answers), max_size=3)) if answers else ():
            donors[name].see(receipt)
    for name, donor in donors.items():  # at last all messages arrive
        if donor.pending:
            take(donations, name, donor.pending, now_s=60.0)
            donor.see(donations.receipts[name])
    given_mwh = sum(donor.given_mwh for donor in donors.values())
    assert given_mwh == donations.received_mwh == sum(donor.offered_mwh for donor in donors.values())


def test_a_donation_is_more_than_half_a_watt_hour_and_ten_seconds_after_the_last():
    donor = Donor(7, 1.0)
    donor.step(360.0, True, 0.0)
    donor.step(360.0, True, 5.0)
    assert donor.pending is None
    donor.step(360.0, True, 5.1)
    assert donor.pending.energy_wh > LEAST_WH
    donations = Donations(1e6)
    take(donations, "n.p", donor.pending)
    assert donor.see(donations.receipts["n.p"])
    donor.step(360.0, True, 5.1 + EVERY_S - 0.1)
    assert donor.pending is None
    donor.step(360.0, True, 5.1 + EVERY_S)
    assert donor.pending.number == 2


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_the_policy_of_the_donor_decides(share):
    donor = Donor(7, share)
    donor.step(3600.0, True, 0.0)
    donor.step(3600.0, True, 1.0)
    assert (donor.pending.energy_mwh if donor.pending else 0) == 1000 * share


def test_nothing_gathers_without_a_storage_that_has_room():
    donor = Donor(7, 1.0)
    donor.step(3600.0, False, 0.0)
    donor.step(3600.0, False, 100.0)
    donor.step(3600.0, True, 101.0)
    assert donor.pending is None


def test_no_room_no_gift():
    donations = Donations(1e6)
    donor = Donor(7, 1.0)
    donor.step(3600.0, True, 0.0)
    donor.step(3600.0, True, 2.0)
    take(donations, "n.p", donor.pending, room_wh=0.25)
    donor.see(donations.receipts["n.p"])
    assert donor.given_mwh == donations.received_mwh == 250


def test_a_member_cannot_give_more_than_its_means_by_itself_or_as_many_twins():
    donations = Donations(600.0)  # a member of 600 W: 10 Wh in a minute
    for twin in range(50):
        take(donations, f"liar.{twin}", Donation(1, 1, 5_000_000))
    assert donations.received_mwh == 10_000
    take(donations, "honest.p", Donation(1, 1, 5_000))
    assert donations.received_mwh == 15_000
    take(donations, "liar.0", Donation(1, 2, 5_000_000), now_s=60.0)
    assert donations.received_mwh == 25_000


def test_the_memory_of_donors_is_bounded_and_survives_a_restart():
    donations = Donations(1e6)
    for number in range(3 * DONORS_MAX):
        take(donations, f"n{number}.p", Donation(1, 1, 10))
    assert len(donations.receipts) == DONORS_MAX
    again = Donations(1e6)
    again.recall(donations.memory())
    assert again.receipts == donations.receipts
    for wrong in (None, [], {"a": 1}, {"a": [1, 2]}, {"a": [-1, 2, 3]}):
        with pytest.raises((ValueError, TypeError)):
            again.recall(wrong)


@given(
    st.binary(max_size=40) | st.builds(msgspec.msgpack.encode, st.lists(st.integers(-5, 2**60), max_size=4))
)
def test_any_bytes_are_read_or_refused(data):
    for parse in (parse_donation, parse_receipts):
        try:
            parse(data)
        except ValueError:
            continue


def test_messages_are_read_back():
    donation = Donation(2**50, 3, 501)
    assert parse_donation(donation.encode()) == donation
    donations = Donations(1e6)
    take(donations, "n.p", donation)
    assert parse_receipts(encode_receipts({"p": donations.receipts["n.p"]})) == {
        "p": donations.receipts["n.p"]
    }
