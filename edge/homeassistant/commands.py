"""Commands of Home Assistant: the same routes as those of HTTP, so the same checks, scopes and records."""

from collections.abc import Callable

from ..api.access import Caller
from ..api.dispatch import Api, Asked
from ..api.route import OPERATE, V1


def commands_of(api: Api) -> Callable[[str, bool], str]:
    """What stops a twin (False) and starts it (True), and returns why it did not; "" if it did."""
    asked = Asked(caller=Caller(scope=OPERATE, by="home assistant"))

    def command(twin: str, on: bool) -> str:
        answer = api.answer("POST", f"{V1}/twins/{twin}/{'restart' if on else 'stop'}", asked)
        if answer.status < 300:
            return ""
        why = answer.content.get("detail") if isinstance(answer.content, dict) else None
        return f"{twin}: {why or answer.status}"

    return command
