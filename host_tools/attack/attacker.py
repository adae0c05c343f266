"""The process of the attacker: `python -m host_tools.attack.attacker CASE CONFIG SECONDS PORT BROKER_PID`.

It says when it is ready to lie, waits for a line, and lies. So what it costs is not counted as a cost of the
honest nodes.
"""

import os
import random
import signal
import sys
import time
from threading import Event, Thread

from edge.clock import SystemClock
from edge.config.check import load
from edge.config.settings import NodeConfig
from edge.meter.meters import SerialMeters
from edge.net.mqtt import MqttLinks
from edge.node import Node
from edge.service.runtime import NodeStuck, Runtime
from edge.trust.keyring import Keyring
from edge.trust.source import Source
from edge.trust.trust import Trust

from .cases import CASES, ByFrames, ByTwins, ByWeb
from .member import Member

_STEP_S = 0.25
_OTHERS = 4  # honest nodes


def main() -> None:
    """Run one attack."""
    name, config_file, seconds, port, pid = sys.argv[1:]
    case = next(each for each in CASES if each.name == name)
    config = load(config_file)
    config.state_dir.mkdir(parents=True, exist_ok=True)
    lie = case.lie
    if isinstance(lie, ByFrames):
        _by_frames(config, lie, float(seconds), int(pid))
    elif isinstance(lie, ByWeb):
        _by_web(lie, float(seconds), int(port))
    else:
        assert isinstance(lie, ByTwins)
        _by_twins(config, lie, float(seconds))


def _ready() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _trust(config: NodeConfig, clock: SystemClock) -> Trust:
    if config.trust is None:
        return Trust()
    return Keyring.load(Source(config.name, config.trust, config.state_dir), clock, config.limits.nodes)


def _by_frames(config: NodeConfig, lie: ByFrames, seconds: float, broker_pid: int) -> None:
    member = Member(config, _trust(config, SystemClock()))
    member.join()
    deadline_s = time.monotonic() + 8.0
    while len({name.partition(".")[0] for name in member.heard}) < _OTHERS and time.monotonic() < deadline_s:
        member.beat()
        member.look_around()
        time.sleep(0.5)
    print(f"heard {len(member.heard)} LSAs of {sorted(member.nodes)}", file=sys.stderr, flush=True)
    _ready()
    if lie.mute:
        os.kill(broker_pid, signal.SIGSTOP)  # it accepts connections and never answers
    try:
        member.play(lie.lie, seconds)
    finally:
        os.kill(broker_pid, signal.SIGCONT)
        member.leave()


def _by_web(lie: ByWeb, seconds: float, port: int) -> None:
    stop = Event()
    attack = Thread(target=lie.attack, args=(port, stop), daemon=True)
    _ready()
    attack.start()
    time.sleep(seconds)
    stop.set()


def _by_twins(config: NodeConfig, lie: ByTwins, seconds: float) -> None:
    """A real node; what its twins say is a lie."""
    clock = SystemClock()
    links = MqttLinks(config.name, config.inbox, config.neighbours, random.Random(7), clock=clock)
    node = Node(config, clock, random.Random(7), links, SerialMeters([]), _trust(config, clock))
    runtime = Runtime(node, clock)
    Thread(target=runtime.run, daemon=True).start()
    deadline_s = time.monotonic() + 8.0
    while len(runtime.ask(lambda each: each.distances())) <= _OTHERS and time.monotonic() < deadline_s:
        time.sleep(0.2)
    _ready()

    def begin(each: Node) -> None:
        for twin in each.prosumers:
            lie.begin(twin)

    def stir(each: Node) -> None:
        for twin in each.prosumers:
            each.engine.stir(twin)

    runtime.ask(begin)
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        time.sleep(_STEP_S)
        try:
            runtime.ask(stir)
        except NodeStuck:
            continue
    runtime.stop()


if __name__ == "__main__":
    main()
