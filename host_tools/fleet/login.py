"""A link that logs a browser in once, for a node whose dashboard is open to the LAN, and its QR code.

Only the hash of its code is written, so a link is shown when it is made and never again. See
`edge.api.logins` for the file.
"""

import io
import secrets
import time
from hashlib import sha256
from pathlib import Path

from edge.api.caller import is_known, names_of
from edge.api.route import CONFIGURE

from .files import write
from .read import NodePlan, is_loopback

VALID_S = 7 * 86_400  # a card has to be written, and a node to be mounted


def is_open(node: NodePlan) -> bool:
    """Whether other machines reach its dashboard."""
    return bool(node.config.api.port) and not is_loopback(node.config.api.host)


def make_link(node: NodePlan, place: Path, *, again: bool) -> tuple[str, int]:
    """The new login link of a node and the number of changed files; "" and 0 if there is one already, unless
    it is made `again`, or if the node is closed to the LAN. `place`: the folder of its configuration."""
    file = place / node.layout.logins.name
    if not is_open(node):
        closed = file.exists()
        file.unlink(missing_ok=True)
        return "", int(closed)
    if file.exists() and not again:
        return "", 0
    code = secrets.token_urlsafe(24)
    until_s = int(time.time()) + VALID_S
    write(file, f"{CONFIGURE} {until_s} {sha256(code.encode()).hexdigest()}\n")
    return f"{address(node)}/#token={code}", 1


def address(node: NodePlan) -> str:
    """Where browsers find its dashboard: at the first of its names that it answers to."""
    names = names_of(node.config.api.names)
    host = next((each for each in node.hosts if is_known(each.lower(), names)), f"{node.name}.local")
    return f"https://{f'[{host}]' if ':' in host else host}:{node.config.api.port}"


def qr_code(link: str) -> str:
    """It as lines of half blocks, light on dark."""
    import segno  # not needed by other commands

    lines = io.StringIO()
    segno.make(link, error="l", micro=False).terminal(lines, border=2, compact=True)
    return lines.getvalue()
