"""The topics between a node and Home Assistant, and so the rules of the broker's access list."""

ONLINE, OFFLINE = b"online", b"offline"
ON, OFF = b"ON", b"OFF"


def config_topic(prefix: str, node: str, twin: str = "") -> str:
    """Where the node, or one of its twins, is described."""
    return f"{prefix}/device/{node}/{twin}/config" if twin else f"{prefix}/device/{node}/config"


def status_topic(prefix: str) -> str:
    """Where Home Assistant says that it is there."""
    return f"{prefix}/status"


def alive_topic(node: str) -> str:
    """Where the node says that it is there, and its last will that it is not."""
    return f"mg/v1/ha/{node}/alive"


def state_topic(node: str, twin: str = "") -> str:
    """Where the values of the node, or of a twin, are."""
    return f"mg/v1/ha/{node}/twin/{twin}" if twin else f"mg/v1/ha/{node}/state"


def switch_topic(node: str, twin: str) -> str:
    """Where Home Assistant turns a twin on and off."""
    return f"mg/v1/ha/{node}/switch/{twin}"


def from_node(prefix: str, node: str) -> list[str]:
    """All that the node publishes; `+` is one level."""
    configs = config_topic(prefix, node), config_topic(prefix, node, "+")
    return [*configs, alive_topic(node), state_topic(node), state_topic(node, "+")]


def to_node(prefix: str, node: str, operates: bool) -> list[str]:
    """All that Home Assistant publishes to it."""
    return [status_topic(prefix), *([switch_topic(node, "+")] if operates else [])]
