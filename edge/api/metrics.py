"""The numbers of a node as text for Prometheus, made from what the other views say."""

from collections.abc import Iterator
from typing import Any

from ..terms import VARIABLES
from .answer import Reply
from .context import Context
from .health import health
from .node import overview

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_COUNTERS = {
    "reactions": "reactions of the tuple space",
    "readings": "readings of meters",
    "readings_undefined": "readings without a possible value",
    "faults": "errors raised by twins",
    "failures": "errors raised in a step of the main loop",
    "state_failures": "failed writes of the state file",
    "invariants_broken": "rules of contracts that did not hold",
}
_STREAMS = {
    "opened": "clients that began to listen to the stream",
    "refused": "clients that found too many others listening",
    "dropped": "clients that did not keep up and were dropped",
    "events": "events that the stream told",
    "sent_bytes": "bytes that the stream sent, to all clients together",
}
Labels = dict[str, str]


def metrics(context: Context) -> Reply[bytes]:
    """Answers /metrics."""
    return Reply("".join(_lines(context)).encode(), media=MEDIA)


def _lines(context: Context) -> Iterator[str]:
    told, seen, node = health(context), overview(context), context.node
    yield from _metric(
        "info", "gauge", "node and version", [({"version": told["version"]}, 1)], node.config.name
    )

    def one(name: str, kind: str, meaning: str, *values: tuple[Labels, Any]) -> Iterator[str]:
        return _metric(name, kind, meaning, list(values), node.config.name)

    yield from one("up", "gauge", "1: well, 0: it has troubles", ({}, int(told["status"] == "ok")))
    yield from one("uptime_seconds", "gauge", "since the start", ({}, told["uptime_s"]))
    memory = [({"kind": "now"}, told["rss_mb"]), ({"kind": "peak"}, told["hwm_mb"])]
    yield from one("memory_mebibytes", "gauge", "resident memory", *memory)
    latest_ms = told["longest_reaction_ms"]
    latest_s = None if latest_ms is None else round(latest_ms / 1000, 4)
    yield from one("longest_reaction_seconds", "gauge", "the latest of the last 10 to 20 s", ({}, latest_s))
    for key, meaning in _COUNTERS.items():
        yield from one(f"{key}_total", "counter", meaning, ({}, told[key]))  # type: ignore[literal-required]
    total: Any = seen["total"]
    powers = [({"variable": each}, total[f"{each}_w"]) for each in VARIABLES]
    yield from one("power_watts", "gauge", "the six variables", *powers)
    flows: Any = seen["flows"]
    sources = [({"source": key.removesuffix("_w")}, value) for key, value in flows.items()]
    yield from one("flow_watts", "gauge", "what flows now, by source", *sources)
    links = told["links"]["neighbours"]
    up = [({"neighbour": name}, int(link["connected"])) for name, link in links.items()]
    yield from one("link_up", "gauge", "whether the broker of a neighbour is reached", *up)
    sent = [({"neighbour": name}, link["sent_bytes"]) for name, link in links.items()]
    yield from one("link_sent_bytes_total", "counter", "whole MQTT packets", *sent)
    codes = [({"code": each.code, "subject": each.subject}, 1) for each in told["troubles"]]
    yield from one("trouble", "gauge", "what is wrong now", *codes)
    used = [({"part": key}, value[0]) for key, value in seen["space"].items() if isinstance(value, list)]
    yield from one("space_used", "gauge", "parts of the tuple space in use", *used)
    streams = context.streams
    yield from one("stream_clients", "gauge", "clients that listen to the stream now", ({}, streams.clients))
    for key, meaning in _STREAMS.items():
        yield from one(f"stream_{key}_total", "counter", meaning, ({}, getattr(streams, key)))
    yield from one(
        "wrong_tokens_total", "counter", "tokens that were not valid", ({}, context.access.refused)
    )


def _metric(name: str, kind: str, meaning: str, values: list[tuple[Labels, Any]], node: str) -> Iterator[str]:
    known = [(labels, value) for labels, value in values if value is not None]
    if known:
        yield f"# HELP edge_{name} {meaning}\n# TYPE edge_{name} {kind}\n"
    for labels, value in known:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in {"node": node, **labels}.items())
        yield f"edge_{name}{{{pairs}}} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
