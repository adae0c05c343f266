"""The dashboard's files: `static/index.html` at `/`, all others at `/assets/NAME`.

They are compressed when they are packed and served as they are; only for a client that does not take gzip
they are unpacked. A name with a hash in it (`app.1a2b3c4d.js`) never changes, so it is kept for a year; of
others a client asks each time whether its copy is still right.
"""

import gzip
import re
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from .answer import Problem, Reply
from .parameters import Text
from .route import ANYBODY, Route

if TYPE_CHECKING:
    from .context import Context

FOLDER = Path(__file__).with_name("static")
_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}"
_HASHED = re.compile(r"\.[0-9a-f]{8,}\.")
_MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_ALWAYS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Vary", "Accept-Encoding"),
)


def page(context: "Context") -> Reply[bytes]:
    """Answers /."""
    return _file("index.html", context.caller.takes_gzip)


def asset(context: "Context", name: str) -> Reply[bytes]:
    """Answers /assets/NAME."""
    return _file(name, context.caller.takes_gzip)


PAGES = (
    Route("GET", "/", page, "the dashboard", on_node=False, scope=ANYBODY, media="text/html"),
    Route(
        "GET",
        "/assets/{name}",
        asset,
        "a file of the dashboard",
        on_node=False,
        segments=(Text("name", "name of the file", pattern=_NAME, words="the name of a file"),),
        scope=ANYBODY,
        media="text/html",
    ),
)


def _file(name: str, takes_gzip: bool) -> Reply[bytes]:
    """Raises Problem."""
    media = _MEDIA.get(Path(name).suffix)
    plain, packed = FOLDER / name, FOLDER / f"{name}.gz"
    if media is None or not (packed.is_file() or plain.is_file()):
        raise Problem(404, f"there is no {name}")
    headers = [*_ALWAYS]
    if not packed.is_file():
        data = plain.read_bytes()
    elif takes_gzip:
        data = packed.read_bytes()
        headers.append(("Content-Encoding", "gzip"))
    else:
        data = gzip.decompress(packed.read_bytes())
    headers.append(("ETag", f'"{blake2b(data, digest_size=8).hexdigest()}"'))
    kept = "public, max-age=31536000, immutable" if _HASHED.search(name) else "no-cache"
    headers.append(("Cache-Control", kept))
    return Reply(data, media=media, headers=tuple(headers))
