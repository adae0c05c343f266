"""`REQUESTS:BEATS` on a command line: the section `[reach]` of all nodes, such as 1:2."""

HELP = "hops that requests go at first, and heartbeats, such as 1:2; 0:0: everywhere (default)"
_MOST = 64  # hops; as in the configuration of a node


def section(text: str) -> dict[str, int]:
    """The section; nothing for an empty text and for 0:0: everything goes everywhere. Raises ValueError."""
    if not text:
        return {}
    try:
        requests, beats = map(int, text.split(":"))
    except ValueError:
        raise ValueError(
            f"reach {text!r}: must be REQUESTS:BEATS, hops of requests and of heartbeats, such as 1:2; "
            "0:0: everywhere"
        ) from None
    for name, hops in (("requests", requests), ("beats", beats)):
        if not 0 <= hops <= _MOST:
            raise ValueError(f"reach {text!r}: {name} = {hops}: must be between 0 and {_MOST}")
    if beats and not requests:
        raise ValueError(
            f"reach {text!r}: beats = {beats} needs requests between 1 and {_MOST}; 0:0: everywhere"
        )
    return {"requests": requests, "beats": beats} if requests else {}
