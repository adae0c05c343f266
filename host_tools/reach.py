"""`REQUESTS:BEATS` on a command line: the section `[reach]` of all nodes, such as 1:2."""


def section(text: str) -> dict[str, int]:
    """The section; nothing for an empty text: everything goes everywhere. Raises ValueError."""
    if not text:
        return {}
    try:
        requests, beats = map(int, text.split(":"))
    except ValueError:
        requests, beats = 0, 0
    if not (0 < requests <= 64 and 0 <= beats <= 64):
        raise ValueError(f"reach {text!r}: must be hops of requests and of heartbeats, such as 1:2")
    return {"requests": requests, "beats": beats}
