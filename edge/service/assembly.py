"""Assembly of a node from its configuration, and its run until a signal ends it."""

import gc
import logging
import os
import random
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..api.access import Access, is_local, load_tokens
from ..api.caller import names_of
from ..api.dispatch import Api
from ..api.health import status_line
from ..api.logins import Logins
from ..api.server import ApiError, ApiServer
from ..api.snapshot import for_member, look
from ..api.stream import Streams
from ..api.tls import Certificate
from ..clock import Clock, SystemClock
from ..config.changes import Changes
from ..config.check import ConfigError
from ..config.settings import NodeConfig
from ..files import lock_folder
from ..meter.bus import MeterBus
from ..meter.meters import SerialMeters
from ..net.mqtt import MqttLinks
from ..net.tls import KEPT_LIST
from ..node import Node, Outlet
from ..trust.trust import Trust
from ..twins.registry import TwinError
from .adoption import adopt
from .broker import offer_lists
from .crashes import Crashes
from .limits import limits_shown
from .notify import Manager
from .runtime import Runtime

if TYPE_CHECKING:
    from ..meter.contacts import Contacts

log = logging.getLogger("edge")


class CannotStart(Exception):
    """A part of the node cannot be set up; the message says which one and why."""


def serve(changes: Changes) -> None:
    """Set the node up and run it until a signal of `_Stop`. Raises CannotStart."""
    config = changes.config
    clock, manager = SystemClock(), Manager()
    files = [*reversed(_parents(changes)), changes]  # the node of the lowest microgrid runs the others
    for each in files:
        _make_state_folder(each.config)
        _lock_state_folder(each.config)
    crashes = Crashes(config.state_dir)
    stop = _Stop(manager, crashes)
    parts: list[_Part] = []
    wake = threading.Event()
    try:
        for each in files:
            parts.append(_part(each, clock, crashes, parts, manager if each is changes else None, wake))
        _join(parts)
        runtime = stop.runtime = parts[-1].runtime
        apis = [_api(each.node.config, each.routes) for each in parts]
    except CannotStart:  # for a reason that it names: no crash
        crashes.settle()
        raise
    for part, api in zip(parts, apis, strict=True):
        log.info("node %s is up, http port %s", part.node.config.name, api.port if api else "none")
    gc.collect()
    gc.freeze()  # what was made by now stays: later collections do not search it
    runtime.run()
    crashes.settle()
    for api in filter(None, apis):
        api.stop()
    log.info("node %s has stopped", config.name)


class _Part(NamedTuple):
    """One of the nodes of this process."""

    runtime: Runtime
    routes: Api

    @property
    def node(self) -> Node:
        return self.runtime.node


def _part(
    changes: Changes,
    clock: Clock,
    crashes: Crashes,
    before: Sequence[_Part],
    manager: Manager | None,
    wake: threading.Event,
) -> _Part:
    """A node, ready to run. `before`: the nodes above it; `manager`: told by the lowest one that all live;
    `wake`: common to all.
    """
    config = changes.config
    rng = random.Random(config.node.seed or None)
    links = _links(config, clock, rng)
    meters = _meters(config, clock)
    if manager:
        crashes.begin()
    node = _node(config, clock, rng, links, meters, _trust(config, clock), crashes)
    adopt(node, node.config, changes.overlay.stopped)
    node.changes_refused = changes.refused
    offer_lists(config, changes.overlay)

    def ticked() -> None:
        if manager:
            manager.alive(status_line(node))
            crashes.look(node.uptime_s)
        if node.regulator:
            links.show_limits(limits_shown(node))

    others = [each.runtime for each in before] if manager else []
    runtime = Runtime(node, clock, ticked, changes, others=others, wake=wake)
    if node.regulator:
        links.hear_limits(runtime.tell_limit)
    routes = _routes(config, runtime, clock)
    node.outlets = list(_outlets(node, clock, rng, routes))
    return _Part(runtime, routes)


def _parents(changes: Changes) -> list[Changes]:
    """The files of the nodes that this machine has in microgrids above, the next one first. Raises
    CannotStart."""
    found: list[Changes] = []
    below = changes
    while below.config.holon:
        path = below.folder / below.config.holon.parent
        try:
            below = Changes.load(path)
        except ConfigError as error:
            raise CannotStart(f"holon.parent: {error}") from error
        names = [each.config.name for each in (changes, *found)]
        if below.config.name in names:
            raise CannotStart(
                f"holon.parent = {str(path)!r}: node {below.config.name} is this machine's already"
            )
        found.append(below)
    return found


def _join(parts: Sequence[_Part]) -> None:
    """Make the holon twins of each two levels the sides of a gate. Raises CannotStart."""
    for above, below in pairwise(parts):
        settings = below.node.config.holon
        assert settings is not None
        from ..twins.holon import join_nodes

        try:
            join_nodes(below.node.prosumers, above.node.prosumers, settings)
        except ValueError as error:
            raise CannotStart(f"holon: {error}") from error


def _make_state_folder(config: NodeConfig) -> None:
    try:
        config.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise CannotStart(f"node.state_dir = {str(config.state_dir)!r}: {reason}") from error


def _lock_state_folder(config: NodeConfig) -> None:
    """Until the process ends: two nodes with one memory would both break their contracts."""
    try:
        lock_folder(config.state_dir)
    except BlockingIOError:
        reason = "another node is running with this folder; stop it first, or give each a folder of its own"
        raise CannotStart(f"node.state_dir = {str(config.state_dir)!r}: {reason}") from None
    except OSError as error:  # a file system without locks
        log.warning("%s cannot be locked: %s", config.state_dir, error.strerror)


def _links(config: NodeConfig, clock: Clock, rng: random.Random) -> MqttLinks:
    try:
        return MqttLinks(
            config.name,
            config.inbox,
            config.neighbours,
            rng,
            clock=clock,
            kept_list=config.state_dir / KEPT_LIST,
        )
    except OSError as error:  # TLS files exist only on the node, so `check` does not look at them
        raise CannotStart(f"tls: {error.filename}: {error.strerror}") from error


def _trust(config: NodeConfig, clock: Clock) -> Trust:
    if config.trust is None:
        log.warning(
            "node %s has no keys, no section [trust]: anybody who reaches it can lie to it", config.name
        )
        return Trust()
    from ..trust.files import (
        KeyFileError,
    )  # with the library for signatures, which a node without keys spares
    from ..trust.keyring import Keyring
    from ..trust.source import Source

    try:
        source = Source(config.name, config.trust, config.state_dir)
        return Keyring.load(source, clock, config.limits.nodes)
    except KeyFileError as error:
        raise CannotStart(f"trust: {error}") from error


def _meters(config: NodeConfig, clock: Clock) -> SerialMeters:
    """The ports are opened later, and again after each failure: a missing adapter does not stop the node."""
    buses = []
    for bus in config.buses:
        meters = [meter for meter in config.meters if meter.bus == bus.name]
        relays = [relay for relay in config.relays if relay.bus == bus.name]
        buses.append(MeterBus(bus, meters, relays, clock))
    return SerialMeters(buses, _contacts(config, clock))


def _contacts(config: NodeConfig, clock: Clock) -> list["Contacts"]:
    """One for each chip, and way in which contacts close."""
    if not config.contacts:
        return []
    from ..meter.contacts import Contacts  # few nodes have some

    kinds = sorted({(each.chip, each.closed) for each in config.contacts})
    return [
        Contacts([each for each in config.contacts if (each.chip, each.closed) == kind], clock)
        for kind in kinds
    ]


def _node(
    config: NodeConfig,
    clock: Clock,
    rng: random.Random,
    links: MqttLinks,
    meters: SerialMeters,
    trust: Trust,
    crashes: Crashes,
) -> Node:
    """Without learning after crashes that it may have caused."""
    off = ""
    if config.learning and crashes.too_many:
        off = f"it ended {crashes.count} times in a row soon after its start, so it runs without learning"
        log.error("%s; the next start tries to learn again", off)
        config = replace(config, learning=None)
    try:
        node = Node(config, clock, rng, links, meters, trust)
    except TwinError as error:
        raise CannotStart(str(error)) from error
    node.learning_off = off
    return node


def _routes(config: NodeConfig, runtime: Runtime, clock: Clock) -> Api:
    """What answers requests, of HTTP and of Home Assistant."""
    try:
        tokens = load_tokens(config.state_dir, (each.name for each in config.members))
    except OSError as error:
        log.error("nobody can log in: %s: %s", error.filename, error.strerror)
        tokens = {}
    members = {each.name: each.twins_of(config.name) for each in config.members}
    links = Logins(Path(config.api.logins) if config.api.logins else None, config.state_dir, clock.wall_s)
    access = Access(tokens, config.name, config.api.reads, members=members, use_link=links.use)
    return Api(runtime, os.environ.get("EDGE_RELEASE", ""), access=access)


def _outlets(node: Node, clock: Clock, rng: random.Random, routes: Api) -> Iterator[Outlet]:
    """Each is imported when a node has it, to save memory. Raises CannotStart."""
    config = node.config
    if config.home_assistant.wanted:
        from ..homeassistant.assembly import home_assistant

        try:
            yield home_assistant(config, clock, rng, routes)
        except (OSError, ValueError) as error:
            raise CannotStart(f"home_assistant: {error}") from error
    if config.push.url:
        from ..push.pusher import Pusher

        own = random.Random(rng.getrandbits(64))  # threads must not disturb the node's own draws
        yield Pusher(config.name, config.push, node.history, clock, node.date, own)


def _api(config: NodeConfig, routes: Api) -> ApiServer | None:
    """The HTTP server, started; None if the configuration wants none."""
    if not config.api.port:
        return None
    streams = Streams(partial(look, routes.context), counters=routes.context.streams, for_member=for_member)
    names, most = names_of(config.api.names), config.limits.http_requests
    try:
        tls = _api_tls(config)
        api = ApiServer(config.api.host, config.api.port, routes, most, names, tls, streams)
    except ApiError as error:
        raise CannotStart(str(error)) from error
    api.start()
    return api


def _api_tls(config: NodeConfig) -> Certificate | None:
    """TLS with the certificate of the node, if it has one and listens beyond loopback. Raises CannotStart."""
    if config.tls is None or is_local(config.api.host):
        return None
    try:
        return Certificate(config.tls.certificate, config.tls.key)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotStart(f"tls: {error.filename or config.tls.certificate}: {reason}") from error


class _Stop:
    """Ends the node at a signal: it saves and parts, or ends at once while there is nothing to save.

    SIGHUP is the end of the terminal in which the node was started.
    """

    runtime: Runtime | None = None  # until it is set, the node is starting

    def __init__(self, manager: Manager, crashes: Crashes) -> None:
        self._manager, self._crashes = manager, crashes
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self)

    def __call__(self, *_: Any) -> None:
        self._manager.stopping()
        if self.runtime:
            self.runtime.stop()
            return
        self._crashes.settle()
        log.info("stopped before it was up")
        os._exit(
            0
        )  # an exception could be caught by whatever is running; a migration is undone at the next start
