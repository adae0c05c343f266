"""The measures of a run: those of thesis 4.4.1 to 4.4.3 and some more.

    response_s            longest time a request was unserved while servable: median, p95, max over all
                          requests that were servable at any time
    failure_rate          energy of requests unserved while servable / energy requested
    together              the same, where free power counts for as many requests as it could serve at once
    thesis                maximum response and failure rate with servable judged by the node alone
    energy_wh             requested, consumed, missing, in_warning; what flowed: produced by local sources,
                          supplied, imported, exported, from_pv, from_battery, from_other; and ready: what
                          could have flowed, the whole capacity of grid connections included
    served                share of the energy requested that was consumed
    self_sufficiency      share of consumption that does not come from a grid connection
    self_consumption      share of local production that is used: supplied to consumers
    ready_shares          what became of the energy that was ready: used, set aside in margins of contracts,
                          on offer, free
    fairness              Jain's index over consumers of the supplied share of their need

A share of nothing is None, and so are response times without requests.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge.energy.flows import PowerSource
from edge.twins.registry import DEVICES

from .board import Column
from .recorder import FLOWS, STRICT, THESIS, TOGETHER, Recorder

LOCAL_SOURCES = (PowerSource.PV, PowerSource.BATTERY, PowerSource.OTHER)

DIGITS = 6


def rounded(value: Any) -> Any:
    """Numbers rounded as in files; nan becomes None."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else round(float(value), DIGITS)
    return int(value) if isinstance(value, np.integer) else value


def spread(times_s: Sequence[float]) -> dict[str, float | None]:
    """Median, 95th percentile and maximum; all None without times."""
    if not len(times_s):
        return {"median": None, "p95": None, "max": None}
    median, p95, most = np.percentile(times_s, [50, 95, 100])
    return {"median": float(median), "p95": float(p95), "max": float(most)}


def jain(shares: Column) -> float | None:
    """Jain's fairness index: 1 if all shares are equal, 1 / count if one has everything."""
    squares = float((shares**2).sum())
    return float(shares.sum()) ** 2 / (len(shares) * squares) if squares else None


def responses_s(recorder: Recorder) -> list[float]:
    """The response times of all requests that were servable at any time."""
    times = (request.response_s for request in recorder.log.requests)
    return [time_s for time_s in times if not math.isnan(time_s)]


def of_energy(recorder: Recorder) -> dict[str, Any]:
    """Energies, and the shares derived from them."""
    from_grid, ready_wh = recorder.from_grid, recorder.produced_wh.sum()
    committed_wh, offered_wh = (
        float(recorder.flows_w[:, FLOWS.index(name)].sum()) / 3600 for name in ("committed", "offered")
    )
    strict, log = recorder.log.stretches[STRICT], recorder.log
    requested_wh, consumed_wh = recorder.requested_wh.sum(), recorder.consumed_wh.sum()
    grid_wh, local_wh = recorder.supplied_wh[from_grid].sum(), recorder.produced_wh[~from_grid].sum()
    supplied_wh, used_wh = recorder.supplied_wh.sum(), recorder.supplied_wh[~from_grid].sum()
    asking = recorder.requested_wh > 0
    return {
        "failure_rate": _share(strict.energy_wh, requested_wh),
        "energy_wh": {
            "requested": requested_wh,
            "ready": ready_wh,
            "produced": local_wh,
            "consumed": consumed_wh,
            "supplied": supplied_wh,
            "imported": grid_wh,
            "exported": recorder.exported_wh,
            **{f"from_{source}": _supplied_wh(recorder, source) for source in LOCAL_SOURCES},
            "missing": log.missing_wh,
            "in_warning": strict.energy_wh,
        },
        "served": _share(consumed_wh, requested_wh),
        "self_sufficiency": _share(max(0.0, consumed_wh - grid_wh), consumed_wh),
        "self_consumption": _share(used_wh, local_wh),
        "ready_shares": {
            "used": _share(supplied_wh, ready_wh),
            "margins": _share(max(0.0, committed_wh - supplied_wh), ready_wh),
            "offered": _share(offered_wh, ready_wh),
            "free": _share(max(0.0, ready_wh - committed_wh - offered_wh), ready_wh),
        },
        "together": {"failure_rate": _share(log.stretches[TOGETHER].energy_wh, requested_wh)},
        "fairness": jain(recorder.consumed_wh[asking] / recorder.requested_wh[asking]),
        "thesis": {
            "response_max_s": log.worst_s[THESIS],
            "failure_rate": _share(log.stretches[THESIS].energy_wh, requested_wh),
        },
    }


def of_requests(recorder: Recorder) -> dict[str, Any]:
    """The number of requests and their response times."""
    requests = recorder.log.requests
    return {
        "requests": len(requests),
        "satisfied": sum(request.satisfied for request in requests),
        "unservable": sum(math.isnan(request.response_s) for request in requests),
        "response_s": spread(responses_s(recorder)),
    }


def _supplied_wh(recorder: Recorder, source: PowerSource) -> float:
    """What the twins of one source supplied."""
    of_source = np.array([DEVICES[kind].source is source for kind in recorder.cast.kinds])
    return float(recorder.supplied_wh[of_source].sum())


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None
