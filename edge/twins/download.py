"""A bounded GET: what an HTTP address answers, in bytes and in time. Redirects are not followed."""

import time

_TIMEOUT_S, _LONGEST_S = 20.0, 60.0  # of one wait for the network, of a whole answer
_MOST_BYTES, _CHUNK = 1 << 20, 1 << 14


def is_address(place: str) -> bool:
    """Whether a setting is an HTTP address and not a file."""
    return place.startswith(("http://", "https://"))


def download(address: str, kinds: str = "*/*") -> bytes:
    """The answer to GET; `kinds` are those that are asked for. Raises OSError, ValueError, HTTPException."""
    from http.client import HTTPConnection, HTTPSConnection  # 1 MB, which only such a node needs
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    until_s = time.monotonic() + _LONGEST_S
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": kinds, "Connection": "close"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError(f"it answered {answer.status} {answer.reason}")
        content = bytearray()
        while chunk := answer.read1(_CHUNK):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise ValueError(f"its answer has more than {_MOST_BYTES} bytes")
            if time.monotonic() > until_s:
                raise ValueError(f"its answer took more than {_LONGEST_S:g} s")
        return bytes(content)
    finally:
        connection.close()
