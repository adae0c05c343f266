"""Links that log a browser in once: `provision` prints one, and the node gets only its hash.

A line of the file is `SCOPE UNTIL HASH`: UNTIL in Unix time, HASH the SHA-256 of the code in hexadecimal. A
code that was used is noted in the state folder before anybody is let in, so a restart does not renew it.
"""

import logging
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ..files import read_text, replace_file
from .answer import CHALLENGE, Problem
from .route import SCOPES

log = logging.getLogger("edge.api")
USED = "api.logins.used"
_MOST_BYTES = 4096
_MAKE_ANOTHER = "; `provision` with --login makes another one"


class Logins:
    """The login links of a node, and which of them were used."""

    def __init__(self, file: Path | None, state: Path, wall_s: Callable[[], float]) -> None:
        """`file`: made by `provision`, None if there is none; `state`: folder for what was used; `wall_s`:
        the date, in Unix time. What cannot be read lets nobody in."""
        self._used_file, self._wall_s = state / USED, wall_s
        try:
            lines = _lines(file) if file else []
            used = {each[0] for each in _lines(self._used_file)} if lines else set()
        except (OSError, UnicodeDecodeError) as error:
            log.error("login links cannot be used: %s", error)
            lines, used = [], set()
        self._known = {each[2]: (each[0], int(each[1])) for each in lines if _is_valid(each)}
        self._used = used & self._known.keys()  # older ones are not valid any more
        if len(self._known) < len(lines):
            log.warning("%s: %d lines are not valid", file, len(lines) - len(self._known))

    def use(self, code: str) -> str:
        """The scope of a code, which is used by this; "" for an unknown one. Raises Problem for one that was
        used or has expired, and when its use cannot be noted."""
        name = sha256(code.encode()).hexdigest()  # the time of the search says nothing about a code
        scope, until_s = self._known.get(name, ("", 0))
        if not scope:
            return ""
        if name in self._used:
            raise Problem(401, f"this login link has been used{_MAKE_ANOTHER}", CHALLENGE)
        if self._wall_s() >= until_s:
            raise Problem(401, f"this login link has expired{_MAKE_ANOTHER}", CHALLENGE)
        used = self._used | {name}
        try:
            replace_file(self._used_file, "".join(f"{each}\n" for each in sorted(used)).encode(), mode=0o600)
        except OSError as error:
            raise Problem(503, f"the login cannot be noted, so it is refused: {error.strerror}") from None
        self._used = used
        return scope


def _lines(file: Path) -> list[list[str]]:
    """The words of each line. Raises OSError, UnicodeDecodeError."""
    try:
        return [words for line in read_text(file, _MOST_BYTES).splitlines() if (words := line.split())]
    except FileNotFoundError:
        return []


def _is_valid(words: list[str]) -> bool:
    if len(words) != 3 or words[0] not in SCOPES:
        return False
    until, name = words[1:]
    is_time = until.isascii() and until.isdigit() and len(until) <= 11
    return is_time and len(name) == 64 and all(each in "0123456789abcdef" for each in name)
