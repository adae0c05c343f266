"""Login links: each works once and for a while, whatever happens to the node in between."""

import errno
from hashlib import sha256

import orjson
import pytest
from asked_node import AskedNode
from hypothesis import given
from hypothesis import strategies as st

from edge.api.access import Access, Caller
from edge.api.answer import Problem
from edge.api.dispatch import Api, Asked
from edge.api.logins import USED, Logins
from edge.api.route import Route

CODE, TOKEN = "code-of-a-link", "t" * 30
NOW_S = 1_800_000_000


def line(code=CODE, scope="configure", until=NOW_S + 60):
    return f"{scope} {until} {sha256(code.encode()).hexdigest()}\n"


def begun(folder, wall_s=NOW_S):
    """What answers requests, as after a start of the node."""
    logins = Logins(folder / "logins", folder, lambda: wall_s)
    access = Access({"read": TOKEN}, "gym", use_link=logins.use)
    routes = [Route("POST", "/in", _log_in, "", scope="", body=(), on_node=False)]
    return access, Api(AskedNode(), routes=routes, access=access)


def _log_in(context, body) -> str:
    return context.access.log_in(body.get("code", CODE), context.caller.peer)


def log_in(folder, code=CODE, **options):
    access, _ = begun(folder, **options)
    return access.log_in(code, "10.0.0.7")


def refused(folder, code=CODE, **options):
    access, _ = begun(folder, **options)
    with pytest.raises(Problem) as caught:
        access.log_in(code, "10.0.0.7")
    assert access.refused == (caught.value.status == 401)
    return caught.value.status, str(caught.value)


def test_a_link_works_once_also_after_a_restart(tmp_path):
    (tmp_path / "logins").write_text(line() + line("of another person", "read"))
    access, _ = begun(tmp_path)
    assert access.log_in(CODE, "10.0.0.7") == "configure"
    with pytest.raises(Problem, match="has been used"):
        access.log_in(CODE, "10.0.0.7")
    assert "has been used" in refused(tmp_path)[1]
    assert log_in(tmp_path, "of another person") == "read"
    assert refused(tmp_path)[0] == refused(tmp_path, "of another person")[0] == 401


def test_a_link_expires(tmp_path):
    (tmp_path / "logins").write_text(line())
    assert "has expired" in refused(tmp_path, wall_s=NOW_S + 60)[1]
    assert log_in(tmp_path, wall_s=NOW_S + 59) == "configure"


def test_a_new_link_works_and_what_was_used_before_is_forgotten(tmp_path):
    (tmp_path / "logins").write_text(line())
    log_in(tmp_path)
    (tmp_path / "logins").write_text(line("new"))
    assert log_in(tmp_path, "new") == "configure"
    assert len((tmp_path / USED).read_text().splitlines()) == 1
    assert "not valid" in refused(tmp_path)[1]


def test_who_guesses_codes_has_to_wait(tmp_path):
    (tmp_path / "logins").write_text(line())
    access, _ = begun(tmp_path)
    for n in range(10):
        with pytest.raises(Problem):
            access.log_in(f"guess {n}", "10.0.0.7")
    with pytest.raises(Problem) as caught:
        access.log_in(CODE, "10.0.0.7")
    assert (caught.value.status, access.refused) == (429, 10)
    assert access.log_in(CODE, "10.0.0.8") == "configure"


def test_a_code_is_no_token(tmp_path):
    """In the header of a request it does not count, and is not used up."""
    (tmp_path / "logins").write_text(line())
    access, api = begun(tmp_path)
    with pytest.raises(Problem):
        access.caller("10.0.0.7", f"Bearer {CODE}")
    asked = Asked(Caller("10.0.0.7", ""), media="application/json", read=lambda: orjson.dumps({}))
    assert api.answer("POST", "/in", asked).content == "configure"
    assert api.answer("POST", "/in", asked).status == 401


def test_a_use_that_cannot_be_noted_lets_nobody_in(tmp_path, monkeypatch):
    (tmp_path / "logins").write_text(line())

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        assert refused(tmp_path)[0] == 503
    assert log_in(tmp_path) == "configure"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"configure\n",
        b"configure soon " + b"0" * 64,
        b"owner 9999999999 " + b"0" * 64,
        b"configure 9999999999 short",
        b"configure -1 " + b"0" * 64,
        b"configure 99999999999999 " + b"0" * 64,
        b"x" * 10_000,
    ],
)
def test_a_file_that_is_not_valid_lets_nobody_in_and_does_not_stop_the_node(tmp_path, data):
    (tmp_path / "logins").write_bytes(data)
    assert refused(tmp_path)[0] == 401


def test_what_was_used_and_cannot_be_read_lets_nobody_in(tmp_path):
    (tmp_path / "logins").write_text(line())
    (tmp_path / USED).mkdir()
    assert refused(tmp_path)[0] == 401


@given(st.text(max_size=60))
def test_no_other_text_is_a_code(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp()
    (folder / "logins").write_text(line())
    if text != CODE:
        assert refused(folder, text)[0] == 401
