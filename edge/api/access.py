"""Who may do what: tokens with scopes, sessions of browsers, and how often one may guess.

A token is 32 random bytes; those of a node are in its state folder, where only its user reads. A browser
trades one for a cookie that no script can read and no other site can send. Sessions are in memory: a restart
ends them. Guessing is hopeless at this length; it is slowed down all the same, so that it does not cost time.
"""

import hmac
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files import read_text, replace_file
from .answer import CHALLENGE, Problem
from .route import ANYBODY, CONFIGURE, READ, SCOPES

log = logging.getLogger("edge.api")
FILE = "api.tokens"
SESSION_S = 12 * 3600.0
_MOST_SESSIONS = 32
_MOST_PEERS = 64
_TRIES, _TRY_EVERY_S = 10.0, 6.0
MEMBER = "member:"  # before the name of a member, in place of a scope


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: the address, the highest scope, "" for none, and by which means it has it."""

    peer: str = ""
    scope: str = READ
    by: str = ""  # "token" or "session"
    cookies: str = ""
    secure: bool = False  # over TLS
    takes_gzip: bool = False
    member: str = ""  # who sees and changes only its own twins
    twins: frozenset[str] = frozenset()  # of this member, with their node

    def may(self, scope: str) -> bool:
        """Whether it may do what needs that scope."""
        return scope == ANYBODY or (self.scope in SCOPES[SCOPES.index(scope) :])

    def sees(self, twin: str) -> bool:
        """Whether it may see a twin, given with its node."""
        return not self.member or twin in self.twins

    @property
    def scopes(self) -> list[str]:
        """All that it has."""
        return [each for each in SCOPES if self.may(each)]

    @property
    def who(self) -> str:
        """For the record of changes."""
        role = f"member {self.member}" if self.member else self.scope
        return f"{self.by or 'nobody'} ({role}) at {self.peer or 'this node'}"


class Access:
    """The tokens of a node, by scope, and the sessions that they began."""

    def __init__(
        self,
        tokens: Mapping[str, str] | None = None,
        cookie: str = "edge",
        reads: str = "local",
        now_s: Callable[[], float] = time.monotonic,
        members: Mapping[str, frozenset[str]] | None = None,
        use_link: Callable[[str], str] = lambda code: "",
    ) -> None:
        """`cookie`: its name; cookies of a host are not apart by port, so each node has its own. `reads`:
        who may read without a token, clients on this machine ("local") or "everybody". `members`: their
        twins, with their node, by name. `use_link`: the scope of the code of a login link, "" for an unknown
        one; it may raise Problem."""
        self._tokens = dict(tokens or {})
        self._members = dict(members or {})
        self.cookie = f"edge_{cookie}"
        self.reads, self._now_s, self._use_link = reads, now_s, use_link
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()  # scope, until when
        self._tries: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, counted when
        self._lock = threading.Lock()
        self.refused = 0  # tokens that were wrong

    def caller(self, peer: str, authorization: str = "", cookies: str = "") -> Caller:
        """Who sends these headers from an address. Raises Problem for a wrong token."""
        kind, _, token = authorization.partition(" ")
        if authorization:
            if kind.lower() != "bearer":
                raise Problem(401, "the header must be Authorization: Bearer TOKEN", CHALLENGE)
            return self.holder(self.scope_of(token.strip(), peer), peer, "token")
        if scope := self._session(self._cookie_in(cookies)):
            return self.holder(scope, peer, "session")
        open_to = self.reads == "everybody" or is_local(peer)
        return Caller(peer, READ if open_to else ANYBODY)

    def holder(self, scope: str, peer: str, by: str) -> Caller:
        """Who has a token with that scope, or that of a member."""
        if not scope.startswith(MEMBER):
            return Caller(peer, scope, by)
        name = scope.removeprefix(MEMBER)
        return Caller(peer, READ, by, member=name, twins=self._members.get(name, frozenset()))

    def check(self, caller: Caller, scope: str, for_members: bool = False) -> None:
        """Raises Problem when the caller may not do what needs that scope. `for_members`: the view itself
        sees to it that a member sees and changes only its own twins."""
        if caller.member and scope != ANYBODY:
            if for_members:
                return
            raise Problem(403, "this is not open to members, who see and change only their own twins")
        if caller.may(scope):
            return
        if not caller.by:
            raise Problem(401, f"this needs a token with the scope {scope}", CHALLENGE)
        raise Problem(403, f"this needs the scope {scope}; yours is {caller.scope}")

    def scope_of(self, token: str, peer: str) -> str:
        """The scope of a token. Raises Problem for a wrong one, and after many of them without a look."""
        return self._found(self._scope_of, token, peer)

    def log_in(self, word: str, peer: str) -> str:
        """The scope of a token, or of the code of a login link, which works only once. Raises Problem."""
        return self._found(lambda word: self._scope_of(word) or self._use_link(word), word, peer)

    def _scope_of(self, token: str) -> str:
        found = ""
        for scope, known in self._tokens.items():  # all are compared: the time says nothing
            if hmac.compare_digest(known.encode(), token.encode()):
                found = scope
        return found

    def _found(self, look: Callable[[str], str], word: str, peer: str) -> str:
        with self._lock:
            wait_s = self._wait_s(peer)
            if wait_s > 0:
                header = ("Retry-After", str(int(wait_s) + 1))
                raise Problem(429, "too many wrong tokens, try again later", (header,))
            try:
                if found := look(word):
                    return found
                raise Problem(401, "the token is not valid", CHALLENGE)
            except Problem as problem:
                if problem.status == 401:
                    self.refused += 1
                    self._tries[peer] = self._tries[peer][0] - 1.0, self._now_s()
                raise

    def begin(self, scope: str) -> str:
        """Begin a session; returns what its cookie holds."""
        name = secrets.token_urlsafe(24)
        with self._lock:
            self._sessions[name] = scope, self._now_s() + SESSION_S
            while len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return name

    def end(self, cookies: str) -> None:
        """End the session of a cookie, if there is one."""
        with self._lock:
            self._sessions.pop(self._cookie_in(cookies), None)

    def _session(self, name: str) -> str:
        with self._lock:
            scope, until_s = self._sessions.get(name, ("", 0.0))
            if scope and until_s <= self._now_s():
                del self._sessions[name]
                return ""
            return scope

    def _cookie_in(self, cookies: str) -> str:
        for each in cookies.split(";"):
            name, _, value = each.strip().partition("=")
            if name == self.cookie:
                return value
        return ""

    def _wait_s(self, peer: str) -> float:
        """How long this address has to wait; it regains a try every few seconds."""
        now_s = self._now_s()
        left, at_s = self._tries.pop(peer, (_TRIES, now_s))
        self._tries[peer] = min(_TRIES, left + (now_s - at_s) / _TRY_EVERY_S), now_s
        while len(self._tries) > _MOST_PEERS:
            self._tries.popitem(last=False)
        return (1.0 - self._tries[peer][0]) * _TRY_EVERY_S


def is_local(peer: str) -> bool:
    """Whether an address is one of this machine only."""
    return not peer or peer == "::1" or peer.removeprefix("::ffff:").startswith("127.")


def load_tokens(folder: Path, members: Iterable[str] = ()) -> dict[str, str]:
    """The tokens of a node by scope, and those of its members as `member:NAME`; they are made where there are
    none. Raises OSError."""
    path = folder / FILE
    try:
        words = (line.split() for line in read_text(path, 4096).splitlines() if not line.startswith("#"))
        found = {each[0]: each[1] for each in words if len(each) == 2 and _is_scope(each[0])}
    except (FileNotFoundError, UnicodeDecodeError):
        found = {}
    wanted = [*(SCOPES if CONFIGURE not in found else ()), *(f"{MEMBER}{each}" for each in members)]
    if any(each not in found for each in wanted):
        kept = {} if CONFIGURE not in found else found
        found = {**kept, **{each: secrets.token_urlsafe(32) for each in wanted if each not in kept}}
        lines = "".join(f"{scope} {token}\n" for scope, token in found.items())
        replace_file(path, lines.encode(), mode=0o600)
        log.info("tokens for the HTTP interface are in %s", path)
    return found


def _is_scope(text: str) -> bool:
    return text in SCOPES or (text.startswith(MEMBER) and len(text) > len(MEMBER))
