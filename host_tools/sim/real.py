"""Runs a scenario with real processes, brokers and serial meters in real time.

The board is filled over HTTP once a second. Times are those of the answers, accurate to a few tenths of
a second. A request counts as servable by the free power of the whole microgrid.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge.config.check import load
from host_tools.microgrid.launch import Microgrid, Pace
from host_tools.microgrid.watch import Sight, Watch

from .board import Board
from .cast import cast_of, limits_for
from .job import Job
from .outcome import Outcome
from .recorder import Recorder
from .scenario import ScenarioError

_MOST_NODES = 20  # each has a node process and a broker


def play(job: Job, directory: Path, each_second: Callable[[int], None]) -> Outcome:
    """Run the job in real time. Raises ScenarioError, TopologyError, LaunchError, BrokerError."""
    plans = job.plans()
    if len(plans) > _MOST_NODES:
        raise ScenarioError(f"nodes = {len(plans)}: --real allows at most {_MOST_NODES}")
    began_s = time.monotonic()
    pace = Pace(seed=job.seed, power_period_s=job.kind.meter_s)
    limits = limits_for([len(plan.devices) + len(plan.extra) for plan in plans])
    with Microgrid(plans, directory, pace, limits) as microgrid:
        configs = [load(building.config) for building in microgrid.buildings]
        board = Board(cast_of(configs))
        recorder = Recorder(board.cast, job.seconds)
        watch = Watch(microgrid)
        started_s = time.monotonic()
        for second in range(1, job.seconds + 1):
            time.sleep(max(0.0, started_s + second - time.monotonic()))
            now_s = time.monotonic() - started_s
            watch.look()
            for i, sight in enumerate(watch.sights):
                look(board, i, sight, now_s)
            recorder.look(board, now_s)
            each_second(second)
        codes = microgrid.stop()
    recorder.close()
    failed = [f"node {name} failed with exit code {code}" for name, code in codes.items() if code != 0]
    settings = [twin for config in configs for twin in config.twins]
    return _outcome(job, recorder, watch, settings, failed, time.monotonic() - began_s)


def look(board: Board, node: int, sight: Sight, now_s: float) -> None:
    """Update the board from the last answers of one node; without an answer it stays as it is."""
    if sight.twins is None or sight.contracts is None:
        return
    place = board.cast.slice_of(node)
    index = {name: place.start + i for i, name in enumerate(board.cast.names[place])}
    for twin in sight.twins:
        i = index[twin["name"]]
        if twin["known"]:  # else what was known last
            board.need_w[i], board.capacity_w[i] = twin["requested_w"], twin["produced_w"]
        board.taken_w[i], board.given_w[i] = twin["consumed_w"], twin["supplied_w"]
        board.reserved_w[i], board.validated[i] = twin["reserved_w"], twin["validated"]
        board.asked_s[i] = now_s - twin["waiting_s"] if twin["waiting_s"] else math.nan
        board.unserved_w[i] = twin["unserved_w"]
        board.response_s[i] = math.nan if twin["response_s"] is None else twin["response_s"]
        board.committed_w[i] = 0.0
    for promise in sight.contracts["supplied"]:
        if promise["state"] != "offered":
            board.committed_w[index[promise["supplier"]]] += promise["max_w"]
    row = np.zeros(len(board.cast.nodes))
    for contract in sight.contracts["consumed"]:
        for part in contract["parts"] if contract["valid"] else ():
            row[board.cast.nodes.index(part["supplier"].partition(".")[0])] += part["power_w"]
    board.flow_w[node] = row


def _outcome(
    job: Job, recorder: Recorder, watch: Watch, settings: list[Any], failed: list[str], wall_s: float
) -> Outcome:
    healths = [sight.health for sight in watch.sights if sight.health]
    twins = [twin for sight in watch.sights for twin in sight.twins or []]
    links = [stats for health in healths for stats in health["links"]["neighbours"].values()]
    checked, broken = watch.audit.finish(healths)
    outcome = Outcome(
        job=job,
        recorder=recorder,
        policies=sorted({each.producer_policy for each in settings if each.supplies}),
        consumer_policies=sorted({each.consumer_policy for each in settings if each.consumes}),
        real=True,
        contracts=sum(twin["validated"] for twin in twins),
        shed=sum(twin["shed"] for twin in twins),
        interrupted=sum(twin["interrupted"] for twin in twins),
        messages=sum(each["sent_frames"] for each in links),
        bytes=sum(each["sent_bytes"] for each in links),
        reactions=sum(health["reactions"] for health in healths),
        checked=checked,
        broken=broken + len(failed),
        violations=watch.audit.broken + failed,
        wall_s=wall_s,
    )
    outcome.figures = job.kind.figures(job.setting(()), outcome, ())
    return outcome
