"""Who is believed: certificates, their dates, their renewal, and the list of revoked ones."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from members import DAY_S, NOW_S, Cluster, HandClock

from edge.trust.certificate import BadCertificate, Certificate, issue
from edge.trust.revocation import BadList, Revocations
from edge.trust.revocation import issue as issue_list
from edge.trust.trust import TAG_BYTES, Trust, Untrusted

CLUSTER = Cluster()
GYM = CLUSTER.own("gym")
LIST = CLUSTER.revocations({"gym": 5, "school": 2**32 - 1})
node_names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
numbers = st.integers(0, 2**32 - 1)


def reason(call, *arguments):
    with pytest.raises(Untrusted) as caught:
        call(*arguments)
    return caught.value.reason


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(node_names, node_names, numbers, numbers, st.integers(1, 2**31), st.binary(min_size=32, max_size=32))
def test_a_certificate_reads_as_it_was_issued_and_has_one_encoding(cluster, node, serial, begins, days, key):
    ends = min(begins + days, 2**32 - 1)
    if ends <= begins:
        return
    fields = {"cluster": cluster, "node": node, "serial": serial, "begins_s": begins, "ends_s": ends}
    data = issue(lambda signed: b"s" * 64, sign_key=key, seal_key=key[::-1], **fields)
    found = Certificate(data)
    assert {name: getattr(found, name) for name in fields} == fields
    assert (found.sign_key, found.seal_key, found.signature) == (key, key[::-1], b"s" * 64)
    assert data == found.data == found.signed + found.signature
    with pytest.raises(BadCertificate):
        Certificate(data + b"\0")


@given(st.binary(max_size=400))
def test_bytes_that_are_no_certificate_or_list_raise_nothing_else(data):
    for prefix in (b"", b"MI\x01", b"MR\x01"):
        with suppress(BadCertificate):
            Certificate(prefix + data)
        with suppress(BadList):
            Revocations(prefix + data)


@given(st.integers(0, 8 * len(GYM.certificate.data) - 1))
def test_no_bit_of_a_certificate_can_be_altered(bit):
    keyring = CLUSTER.keyring("lab")
    assert reason(keyring.introduce, "gym", flipped(GYM.certificate.data, bit)) in {
        "forged",
        "foreign",
        "expired",
        "not_yet_valid",
    }
    assert not keyring.knows("gym")


@given(st.integers(0, 8 * len(LIST) - 1))
def test_no_bit_of_a_list_can_be_altered(bit):
    keyring = CLUSTER.keyring("lab")
    assert not keyring.revoke(flipped(LIST, bit))
    assert keyring.revocations() == b""


@given(st.dictionaries(node_names, numbers, max_size=20), numbers)
def test_a_list_reads_as_it_was_issued(serials, number):
    found = Revocations(
        issue_list(lambda signed: b"s" * 64, cluster="village", number=number, serials=serials)
    )
    assert (found.serials, found.number, found.cluster) == (serials, number, "village")
    assert all(found.revokes(node, serial) for node, serial in serials.items())
    assert not found.revokes("-", 0)
    assert not any(found.revokes(node, serial + 1) for node, serial in serials.items())


def test_an_identity_counts_for_its_own_node_and_microgrid_alone():
    lab = CLUSTER.keyring("lab")
    assert reason(lab.introduce, "school", GYM.certificate.data) == "forged"
    assert reason(lab.introduce, "gym", Cluster("town").own("gym").certificate.data) == "foreign"
    assert reason(lab.introduce, "gym", Cluster(seed=9).own("gym").certificate.data) == "forged"
    assert reason(lab.verify, "gym", b"m", GYM.keys.signing.sign(b"m")) == "unknown"
    lab.introduce("gym", GYM.certificate.data)
    lab.verify("gym", b"m", GYM.keys.signing.sign(b"m"))


def test_signatures_bind_the_text_and_the_node():
    gym, school, lab = CLUSTER.keyrings("gym", "school", "lab")
    signature = gym.sign(b"text")
    assert len(signature) == 64
    lab.verify("gym", b"text", signature)
    lab.verify("gym", b"text", signature)  # remembered
    assert reason(lab.verify, "school", b"text", signature) == "forged"
    assert reason(lab.verify, "gym", b"texts", signature) == "forged"
    assert reason(lab.verify, "gym", b"text", b"") == "forged"
    for bit in range(0, 512, 7):
        assert reason(lab.verify, "gym", b"text", flipped(signature, bit)) == "forged"
    assert lab.stats()["refused"]["forged"] >= 75
    assert school.knows("lab")
    assert gym.authentic


def test_what_is_remembered_of_a_signature_ends_with_its_identity():
    gym, lab = CLUSTER.keyrings("gym", "lab")
    signature = gym.sign(b"text")
    lab.verify("gym", b"text", signature)
    assert lab.revoke(CLUSTER.revocations({"gym": Certificate(gym.certificate()).serial}))
    assert reason(lab.verify, "gym", b"text", signature) == "unknown"


def test_a_revoked_node_is_parted_from_and_not_let_in_again_but_for_a_new_identity():
    gym, lab = CLUSTER.keyrings("gym", "lab")
    old = Certificate(gym.certificate())
    assert lab.second_passed() == []
    assert lab.revoke(CLUSTER.revocations({"gym": old.serial}))
    assert lab.second_passed() == ["gym"]
    assert lab.second_passed() == []
    assert reason(lab.introduce, "gym", old.data) == "revoked"
    lab.introduce("gym", CLUSTER.own("gym", after=old).certificate.data)
    assert lab.knows("gym")


def test_a_list_never_goes_back():
    lab = CLUSTER.keyring("lab")
    first = CLUSTER.revocations({"gym": 1})
    second = CLUSTER.revocations({"gym": 2}, after=Revocations(first))
    assert lab.revoke(second)
    assert not lab.revoke(first)
    assert not lab.revoke(second)
    assert lab.revocations() == second
    assert not lab.revoke(Cluster("town").revocations({}, now_s=NOW_S + 9))
    assert not lab.revoke(Cluster(seed=9).revocations({}, now_s=NOW_S + 9))


def test_an_expired_identity_is_refused_and_a_member_parts_when_it_expires():
    clock = HandClock()
    lab = CLUSTER.keyring("lab", CLUSTER.own("lab", days=900), clock=clock)
    lab.introduce("gym", CLUSTER.own("gym", days=10).certificate.data)
    clock.time_s += 10 * DAY_S - 1
    assert lab.second_passed() == []
    clock.time_s += 1
    assert lab.second_passed() == ["gym"]
    assert reason(lab.introduce, "gym", CLUSTER.own("gym", days=10).certificate.data) == "expired"


@pytest.mark.parametrize("wall_s", [0.0, 60.0, NOW_S - 400 * DAY_S])
def test_without_a_date_everybody_is_let_in_and_judged_once_the_date_is_known(wall_s):
    clock = HandClock(wall_s)
    lab = CLUSTER.keyring("lab", clock=clock)
    lab.introduce("gym", CLUSTER.own("gym", days=10, now_s=NOW_S - 20 * DAY_S).certificate.data)
    lab.introduce("school", CLUSTER.own("school").certificate.data)
    assert lab.second_passed() == []
    assert not lab.stats()["date_known"]
    clock.time_s = NOW_S
    assert lab.second_passed() == ["gym"]
    assert lab.knows("school")


def test_a_list_of_revoked_ones_proves_that_the_clock_is_behind():
    clock = HandClock(NOW_S)
    lab = CLUSTER.keyring("lab", clock=clock)
    begins_s = int(NOW_S + 90 * DAY_S)
    late = CLUSTER.own("gym", begins_s=begins_s).certificate.data
    assert reason(lab.introduce, "gym", late) == "not_yet_valid"
    assert lab.revoke(CLUSTER.revocations({}, now_s=NOW_S + 91 * DAY_S))
    lab.introduce("gym", late)


def test_a_wrong_date_that_is_put_right_lets_everybody_in_again():
    clock = HandClock()
    lab = CLUSTER.keyring("lab", clock=clock)
    gym = CLUSTER.own("gym").certificate.data
    lab.introduce("gym", gym)
    clock.time_s += 10_000 * DAY_S
    assert lab.second_passed() == ["gym"]
    assert [code for code, _ in lab.troubles()] == ["identity_refused"]
    clock.time_s = NOW_S
    lab.second_passed()
    lab.introduce("gym", gym)
    assert lab.knows("gym")
    assert lab.troubles() == []


def test_new_keys_replace_old_ones_which_count_until_they_are_revoked():
    gym, lab = CLUSTER.keyrings("gym", "lab")
    old = Certificate(gym.certificate())
    renewed = CLUSTER.own("gym", seed=99, after=old)
    signature, sealed = gym.sign(b"old"), gym.seal("lab", b"c", b"old")
    lab.introduce("gym", renewed.certificate.data)
    lab.verify("gym", b"old", signature)
    lab.verify("gym", b"new", renewed.keys.signing.sign(b"new"))
    assert lab.open("gym", b"c", sealed) == b"old"
    assert reason(lab.introduce, "gym", old.data) == "outdated"
    assert lab.revoke(CLUSTER.revocations({"gym": old.serial}))
    assert lab.second_passed() == []
    assert reason(lab.verify, "gym", b"old", signature) == "forged"
    lab.verify("gym", b"newer", renewed.keys.signing.sign(b"newer"))


def test_nobody_replaces_the_identity_of_the_node_itself():
    lab = CLUSTER.keyring("lab")
    own = Certificate(lab.certificate())
    lab.introduce("lab", own.data)
    assert reason(lab.introduce, "lab", CLUSTER.own("lab", seed=7, after=own).certificate.data) == "outdated"


def test_members_are_bounded_and_who_was_not_needed_for_longest_leaves():
    lab = CLUSTER.keyring("lab", nodes=3)
    owners = {name: CLUSTER.own(name) for name in ("gym", "school", "farm")}
    for name in ("gym", "school"):
        lab.introduce(name, owners[name].certificate.data)
    lab.verify("gym", b"m", owners["gym"].keys.signing.sign(b"m"))
    lab.introduce("farm", owners["farm"].certificate.data)
    assert lab.stats()["members"] == ["farm", "gym", "lab"]


def test_a_node_without_keys_believes_everybody():
    trust = Trust()
    assert not trust.authentic
    assert trust.knows("anybody")
    assert trust.sign(b"m") == b""
    trust.verify("anybody", b"m", b"")
    trust.introduce("anybody", b"")
    assert trust.seal("anybody", b"c", b"plain") == trust.open("anybody", b"c", b"plain") == b"plain"
    assert trust.tag("a", b"text") == trust.tag("b", b"text")
    assert len(trust.tag("a", b"text")) == TAG_BYTES
    assert not trust.revoke(LIST)
    assert trust.second_passed() == []
    assert not trust.look()
