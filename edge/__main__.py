"""Command line of a node: `python -m edge run|check|status|options`.

Exit codes: 0 ended as asked; 1 the configuration is wrong, or the node asked is not well; 2 wrong usage;
3 the node cannot start (HTTP port taken, state folder or TLS files of no use, learning not installed).
"""

import argparse
import logging
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from . import __version__
from .clock import SystemClock
from .config import options

log = logging.getLogger("edge")
OK, WRONG, CANNOT_START = 0, 1, 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="edge", description="A node of the microgrid.")
    parser.add_argument("--version", action="version", version=f"microgrid-edge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the node until SIGTERM")
    run.add_argument("--config", required=True, type=Path, help="TOML file of this node")
    check = commands.add_parser("check", help="check a configuration and print the memory it takes")
    check.add_argument("--config", required=True, type=Path, help="TOML file of a node")
    status = commands.add_parser("status", help="ask a running node how it is")
    status.add_argument("--config", type=Path, help="TOML file of the node: where it listens")
    status.add_argument("--url", help="or its address, such as http://127.0.0.1:8080")
    commands.add_parser("options", help="print every configuration key with default, range and meaning")
    chosen = parser.parse_args(arguments)
    if chosen.command == "run":
        return _run(chosen.config)
    if chosen.command == "check":
        return _check(chosen.config)
    if chosen.command == "status":
        return _status(parser, chosen)
    print(options.table())
    return OK


def _load(path: Path) -> Any:
    from .config.check import ConfigError, load

    try:
        return load(path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return None


def _check(path: Path) -> int:
    config = _load(path)
    if config is None:
        return WRONG
    from .config.budget import budget, table

    print(
        f"{path}: node {config.name} with {len(config.twins)} twins, {len(config.meters)} meters, "
        f"{len(config.neighbours)} neighbours"
    )
    print(table(budget(config)))
    return OK


def _status(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> int:
    import urllib.error
    import urllib.request

    import orjson

    if not chosen.url and not chosen.config:
        parser.error("status: --config or --url is needed")
    url = chosen.url
    if not url:
        config = _load(chosen.config)
        if config is None:
            return WRONG
        url = f"http://{config.api_host}:{config.api_port}"
    try:
        with urllib.request.urlopen(url.rstrip("/") + "/health", timeout=5) as response:
            health = orjson.loads(response.read(1 << 20))
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"{url}: no answer: {getattr(error, 'reason', error)}", file=sys.stderr)
        return WRONG
    print(orjson.dumps(health, option=orjson.OPT_INDENT_2).decode())
    return OK if health.get("status") == "ok" else WRONG


def _run(path: Path) -> int:
    config = _load(path)
    if config is None:
        return WRONG
    from .api import views, views_learning
    from .api.server import ApiError, ApiServer
    from .meter.bus import MeterBus
    from .meter.meters import SerialMeters
    from .net.mqtt import MqttLinks
    from .node import Node
    from .service.notify import Manager
    from .service.runtime import Runtime
    from .twins.learning_settings import CannotLearn

    logging.basicConfig(
        level=config.log_level.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        config.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.error("%s: node.state_dir = %r: %s", path, str(config.state_dir), error.strerror)
        return CANNOT_START
    clock = SystemClock()
    rng = random.Random(config.seed or None)
    try:
        links = MqttLinks(config.name, config.inbox, config.neighbours, rng, clock=clock)
    except OSError as error:  # of files that are there only on the node, so `check` does not look at them
        log.error("%s: tls: %s", path, error)
        return CANNOT_START
    buses = [
        MeterBus(
            bus,
            [meter for meter in config.meters if meter.bus == bus.name],
            [relay for relay in config.relays if relay.bus == bus.name],
            clock,
        )
        for bus in config.buses
    ]
    manager, release = Manager(), os.environ.get("EDGE_RELEASE", "")
    try:
        node = Node(config, clock, rng, links, SerialMeters(buses))
    except CannotLearn as error:
        log.error("%s: [learning]: %s", path, error)
        return CANNOT_START
    runtime = Runtime(node, clock, lambda: manager.alive(views.status_line(node)))
    queries = {
        "/health": lambda _: (
            runtime.ask(views.health)
            | {"dropped": runtime.dropped, "failures": runtime.failures}
            | {"release": release, "version": __version__}
        ),
        "/node": lambda _: runtime.ask(views.overview),
        "/twins": lambda _: runtime.ask(views.twins),
        "/contracts": lambda _: runtime.ask(views.contracts),
        "/learning": lambda _: runtime.ask(lambda _: views_learning.learning(runtime)),
        "/predictions": lambda asked: views_learning.predictions(runtime, asked),
        "/scores": lambda asked: views_learning.scores(runtime, asked),
    }
    api = None
    if config.api_port:
        try:
            api = ApiServer(config.api_host, config.api_port, queries, config.limits.http_requests)
        except ApiError as error:
            log.error("%s", error)
            return CANNOT_START
        api.start()

    def stop(*_: Any) -> None:
        manager.stopping()
        runtime.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    log.info("node %s is up, http port %s", config.name, api.port if api else "none")
    runtime.run()
    if api:
        api.stop()
    log.info("node %s has stopped", config.name)
    return OK


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # whoever read what we print has gone, as `head` does
        sys.stderr.close()
