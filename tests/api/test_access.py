"""Who may do what: tokens, sessions, what needs which scope, and what happens to those who guess."""

import stat
from types import SimpleNamespace

import orjson
import pytest
from asked_node import AskedNode
from hypothesis import given
from hypothesis import strategies as st

from edge.api.access import FILE, SESSION_S, Access, Caller, is_local, load_tokens
from edge.api.answer import Problem
from edge.api.dispatch import Api, Asked
from edge.api.route import Route
from edge.config.settings import ApiSettings

TOKENS = {"read": "r" * 20, "operate": "o" * 20, "configure": "c" * 20}


class Now:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def access(now):
    return Access(TOKENS, "gym", now_s=now)


def bearer(access, token, peer="10.0.0.7"):
    return access.caller(peer, f"Bearer {token}")


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("read", ["read"]),
        ("operate", ["read", "operate"]),
        ("configure", ["read", "operate", "configure"]),
    ],
)
def test_a_token_has_its_scope_and_those_before_it(access, scope, scopes):
    caller = bearer(access, TOKENS[scope])
    assert caller.scopes == scopes
    assert caller.who == f"token ({scope}) at 10.0.0.7"


@pytest.mark.parametrize("peer", ["", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_a_client_on_the_machine_reads_without_a_token(access, peer):
    assert is_local(peer)
    assert access.caller(peer).scopes == ["read"]


@pytest.mark.parametrize("peer", ["10.0.0.7", "fe80::1", "128.0.0.1", "::ffff:10.0.0.7"])
def test_a_client_elsewhere_reads_only_if_everybody_may(access, peer):
    assert not is_local(peer)
    assert access.caller(peer).scopes == []
    assert Access(TOKENS, reads="everybody").caller(peer).scopes == ["read"]


@pytest.mark.parametrize("text", ["Basic abc", "Bearer", "Bearer ", "Bearer x", "bearer  r", TOKENS["read"]])
def test_a_wrong_token_is_no_token(access, text):
    with pytest.raises(Problem) as caught:
        access.caller("127.0.0.1", text)
    assert caught.value.status == 401
    assert dict(caught.value.headers)["WWW-Authenticate"].startswith("Bearer")


@given(st.text(max_size=60))
def test_no_other_text_is_a_token(text):
    if text not in TOKENS.values():
        with pytest.raises(Problem):
            Access(TOKENS).scope_of(text, "10.0.0.7")


def test_who_guesses_has_to_wait_and_others_do_not(access, now):
    for _ in range(10):
        with pytest.raises(Problem) as caught:
            bearer(access, "wrong")
        assert caught.value.status == 401
    with pytest.raises(Problem) as caught:
        bearer(access, TOKENS["read"])  # even the right one is not looked at
    assert caught.value.status == 429
    assert 0 < int(dict(caught.value.headers)["Retry-After"]) <= 7
    assert bearer(access, TOKENS["read"], "10.0.0.8").scope == "read"
    now.now_s += 7
    assert bearer(access, TOKENS["read"]).scope == "read"
    assert access.refused == 10


def test_what_is_remembered_of_guesses_and_sessions_is_bounded(access):
    for i in range(500):
        with pytest.raises(Problem):
            bearer(access, "wrong", f"10.0.{i // 250}.{i % 250}")
        access.begin("read")
    assert len(access._tries) <= 64
    assert len(access._sessions) <= 32


def test_a_session_ends_by_itself_by_logging_out_and_when_there_are_too_many(access, now):
    cookie = f"other=1; {access.cookie}={access.begin('operate')}"
    assert access.caller("10.0.0.7", cookies=cookie).scopes == ["read", "operate"]
    assert access.caller("10.0.0.7", cookies=cookie).by == "session"
    access.end(cookie)
    assert access.caller("10.0.0.7", cookies=cookie).scopes == []
    cookie = f"{access.cookie}={access.begin('read')}"
    now.now_s += SESSION_S - 1
    assert access.caller("10.0.0.7", cookies=cookie).scope == "read"
    now.now_s += 2
    assert access.caller("10.0.0.7", cookies=cookie).scope == ""


def test_the_cookie_of_another_node_is_no_session(access):
    value = access.begin("read")
    assert access.caller("10.0.0.7", cookies=f"edge_school={value}").scope == ""


def test_tokens_are_made_once_for_the_eyes_of_the_owner_only(tmp_path):
    made = load_tokens(tmp_path)
    assert made.keys() == {"read", "operate", "configure"}
    assert len(set(made.values())) == 3
    assert min(map(len, made.values())) >= 40
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert load_tokens(tmp_path) == made


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"configure\n", b"everything abc\n"])
def test_a_file_without_tokens_is_replaced(tmp_path, data):
    (tmp_path / FILE).write_bytes(data)
    assert len(load_tokens(tmp_path)) == 3


def test_own_tokens_are_kept(tmp_path):
    (tmp_path / FILE).write_text("# of the caretaker\nconfigure abc\nread def\n")
    assert load_tokens(tmp_path) == {"configure": "abc", "read": "def"}


# ---- over the interface --------------------------------------------------------------------------


def said(context) -> str:
    return "done"


@pytest.fixture
def api(access):
    routes = [Route("GET", "/x", said, "", scope=scope) for scope in ("",)]
    routes += [Route("GET", f"/{scope}", said, "", scope=scope) for scope in TOKENS]
    return Api(AskedNode(), routes=routes, access=access)


@pytest.mark.parametrize("needed", ["", *TOKENS])
@pytest.mark.parametrize("has", ["", *TOKENS])
def test_a_route_is_for_those_who_have_its_scope(api, needed, has):
    asked = Asked(Caller("10.0.0.7", has, "token" if has else ""))
    found = api.answer("GET", f"/{needed or 'x'}", asked).status
    order = ["", *TOKENS]
    if order.index(has) >= order.index(needed):
        assert found == 200
    else:
        assert found == (403 if has else 401)


@pytest.fixture
def gym():
    return AskedNode(SimpleNamespace(config=SimpleNamespace(name="gym", api=ApiSettings())))


def log_in(api, token, cookies=""):
    read = lambda: orjson.dumps({"token": token})  # noqa: E731
    caller = Caller("10.0.0.7", "", cookies=cookies, secure=True)
    return api.answer("POST", "/api/v1/session", Asked(caller, media="application/json", read=read))


def test_a_browser_trades_a_token_for_a_cookie_and_gives_it_back(access, gym):
    api = Api(gym, access=access)
    answer = log_in(api, TOKENS["operate"])
    assert answer.status == 200
    assert (answer.content["scopes"], answer.content["role"]) == (["read", "operate"], "operator")
    cookie = dict(answer.headers)["Set-Cookie"]
    name_value, *flags = cookie.split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"} <= set(flags)
    assert TOKENS["operate"] not in cookie
    caller = access.caller("10.0.0.7", cookies=name_value)
    seen = api.answer("GET", "/api/v1/session", Asked(caller)).content
    assert (seen["role"], seen["by"], seen["node"]) == ("operator", "session", "gym")
    out = api.answer("DELETE", "/api/v1/session", Asked(Caller("10.0.0.7", cookies=name_value)))
    assert out.content["scopes"] == []
    assert "Max-Age=0" in dict(out.headers)["Set-Cookie"]
    assert access.caller("10.0.0.7", cookies=name_value).scope == ""


def test_a_wrong_token_gives_no_cookie(access, gym):
    answer = log_in(Api(gym, access=access), "wrong")
    assert answer.status == 401
    assert "Set-Cookie" not in dict(answer.headers)
