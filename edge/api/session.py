"""Logging in with a browser: a token or the code of a login link in, a cookie out, and its rights."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from .. import __version__
from ..option import Matching, Option
from .access import SESSION_S, Caller
from .answer import Reply
from .route import OPERATE, READ

if TYPE_CHECKING:
    from .context import Context

_PRINTABLE = Matching(r"[!-~]{1,200}", "1 to 200 characters")
TOKEN = (Option("token", str, "", "a token of this node, or the code of a login link", _PRINTABLE),)


class Session(TypedDict):
    scopes: Annotated[list[str], "what you may do: read, operate, configure; a member with its own twins"]
    role: Annotated[
        str,
        "operator (may change the node), reader, member (sees and changes only its own twins), or nobody",
    ]
    twins: Annotated[list[str] | None, "of a member, with their node; null: all"]
    by: Annotated[str, "token, session, or empty: without either"]
    node: str
    version: Annotated[str, "of the software"]
    release: Annotated[str, "that was deployed; empty when started by hand"]
    demo: Annotated[bool, "whether the powers are simulated or played from a recording"]


def session(context: "Context") -> Session:
    """Answers /session."""
    return _session(context, context.caller)


def log_in(context: "Context", body: dict[str, Any]) -> Reply[Session]:
    """Answers POST /session. Raises Problem."""
    access, caller = context.access, context.caller
    scope = access.log_in(body.get("token", ""), caller.peer)
    value = access.begin(scope)
    known = _session(context, access.holder(scope, caller.peer, "session"))
    return Reply(known, headers=(_cookie(context, value, int(SESSION_S)),))


def log_out(context: "Context") -> Reply[Session]:
    """Answers DELETE /session."""
    context.access.end(context.caller.cookies)
    known = _session(context, context.access.caller(context.caller.peer))
    return Reply(known, headers=(_cookie(context, "", 0),))


def _cookie(context: "Context", value: str, seconds: int) -> tuple[str, str]:
    """No script reads it, no other site sends it, and over TLS it is sent only over TLS."""
    secure = "; Secure" if context.caller.secure else ""
    name = context.access.cookie
    return "Set-Cookie", f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _session(context: "Context", caller: Caller) -> Session:
    roles = {"": "nobody", "read": "reader"}
    return {
        "scopes": [READ, OPERATE] if caller.member else caller.scopes,
        "role": "member" if caller.member else roles.get(caller.scope, "operator"),
        "twins": sorted(caller.twins) if caller.member else None,
        "by": caller.by,
        "node": context.node.config.name,
        "version": __version__,
        "release": context.release,
        "demo": context.node.config.api.powers == "played",
    }
