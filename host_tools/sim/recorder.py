"""Samples the whole microgrid once a simulated second and keeps the data of the metrics (thesis 4.3, 4.4.1).

Arrays are allocated for the whole run. A sample counts for one second: energies are sums of samples.
"""

import numpy as np

from edge.energy.rules import EPSILON_W
from edge.terms import VARIABLES
from edge.twins.registry import GRIDS

from .board import Board, Column, Supplies
from .cast import Cast
from .requests import Mask, RequestLog
from .sources import Sources

ROWS_MOST = 20_000  # rows of the time series by node
STRICT, TOGETHER, THESIS = "strict", "together", "thesis"  # when a request is servable
FLOWS = ("local", "imported", "exported", "committed", "offered")  # local: what local sources give
LATE_S = (1, 5)  # energy missing later than that after a need was last met; thesis 7.5.4 tolerates 5 s
GATE = "holon"  # the kind of twin that passes on what others make
OF_NODES = ("imported", "exported", "offered")  # of these in the time series by node


class Recorder:
    """The recorded data of a run.

    There are three definitions of a servable request. `strict`: its missing power is at most the capacity
    without a contract in its connected part of the microgrid, even if that is offered to others. `together`:
    also all that lack less, so that capacity counts for one of them only. `thesis`: it is at most the
    available power of its own node, produced and under no contract (thesis 4.4.1).

    `flows_w` has a column for each of FLOWS. By the books all that local sources give and no contract uses
    leaves through the grid connection; where there is none, it is curtailed and not counted as exported.
    What a gate between two microgrids passes on is counted where it is made and where it is used, not there.
    """

    def __init__(self, cast: Cast, seconds: int) -> None:
        nodes, twins = len(cast.nodes), len(cast.names)
        self.cast = cast
        self.log = RequestLog(cast, (STRICT, TOGETHER, THESIS))
        self.sources = Sources(cast, seconds)
        self.seconds = 0
        self.stride = max(1, -(-seconds * nodes // ROWS_MOST))  # seconds between two rows of a node
        self.moments_s = np.zeros(seconds)
        self.whole_w = np.zeros((seconds, len(VARIABLES)), dtype=np.float32)
        self.flows_w = np.zeros((seconds, len(FLOWS)), dtype=np.float32)
        columns = len(VARIABLES) + len(OF_NODES)
        self.nodes_w = np.zeros((-(-seconds // self.stride), nodes, columns), dtype=np.float32)
        self.requested_wh, self.consumed_wh = np.zeros(twins), np.zeros(twins)
        self.produced_wh, self.supplied_wh = np.zeros(twins), np.zeros(twins)
        self.late_wh = {late_s: np.zeros(twins) for late_s in LATE_S}
        self._short_s = np.zeros(twins)  # for how long something has been missing
        self.exported_wh = 0.0
        self.flow_wh = np.zeros((nodes, nodes))  # consumer's node, supplier's node
        self._parts = int(cast.part_of.max()) + 1
        self.from_grid = np.array([kind in GRIDS for kind in cast.kinds])
        self._makes = np.array([kind != GATE for kind in cast.kinds])
        connected = np.bincount(cast.part_of, self.from_grid, self._parts)[cast.part_of] > 0
        self._exports = connected & ~self.from_grid

    def look(self, board: Board, now_s: float) -> None:
        """Record a sample. A sample after the planned end is ignored."""
        if self.seconds == len(self.moments_s):
            return
        taken_w = np.minimum(board.taken_w, board.need_w)
        missing_w = board.need_w - taken_w
        made = Supplies(*(column * self._makes for column in board.supplies))
        for energy_wh, power_w in (
            (self.requested_wh, board.need_w),
            (self.consumed_wh, taken_w),
            (self.produced_wh, made.capacity_w),
            (self.supplied_wh, made.given_w),
            (self.flow_wh, board.flow_w),
        ):
            energy_wh += power_w / 3600
        self._keep_late(missing_w)
        self._keep_six(made, board.need_w, taken_w, now_s)
        self.sources.look(made.given_w, self.seconds)
        self.log.look(board, self._servable(board, missing_w), missing_w, now_s)
        self.seconds += 1

    def close(self) -> None:
        """End the recording, perhaps before the planned end."""
        self.log.close()
        self.moments_s = self.moments_s[: self.seconds]
        self.whole_w, self.flows_w = self.whole_w[: self.seconds], self.flows_w[: self.seconds]
        self.nodes_w = self.nodes_w[: -(-self.seconds // self.stride)]

    def _keep_late(self, missing_w: Column) -> None:
        short = missing_w > EPSILON_W
        self._short_s = np.where(short, self._short_s + 1, 0)
        for late_s, energy_wh in self.late_wh.items():
            energy_wh += np.where(self._short_s > late_s, missing_w, 0.0) / 3600

    def _keep_six(self, made: Supplies, need_w: Column, taken_w: Column, now_s: float) -> None:
        requested_w, produced_w = self._by_node(need_w), self._by_node(made.capacity_w)
        consumed_w, supplied_w = self._by_node(taken_w), self._by_node(made.given_w)
        free_w = np.maximum(0.0, produced_w - self._by_node(made.committed_w))
        six = (requested_w, produced_w, consumed_w, supplied_w, requested_w - consumed_w, free_w)
        self.moments_s[self.seconds] = now_s
        self.whole_w[self.seconds] = [each.sum() for each in six]
        flows = self._flows(made)
        self.flows_w[self.seconds] = [each.sum() for each in flows.values()]
        self.exported_wh += float(flows["exported"].sum()) / 3600
        if self.seconds % self.stride == 0:
            beside = (self._by_node(flows[name]) for name in OF_NODES)
            self.nodes_w[self.seconds // self.stride] = np.stack((*six, *beside), axis=1)

    def _flows(self, made: Supplies) -> dict[str, Column]:
        """By name and twin."""
        offered_w = np.maximum(0.0, made.reserved_w - made.committed_w)
        surplus_w = np.maximum(0.0, made.capacity_w - made.given_w)
        each = (
            np.where(self.from_grid, 0.0, made.capacity_w),
            np.where(self.from_grid, made.given_w, 0.0),
            np.where(self._exports, surplus_w, 0.0),
            made.committed_w,
            offered_w,
        )
        return dict(zip(FLOWS, each, strict=True))

    def _by_node(self, column: Column) -> Column:
        return np.bincount(self.cast.node_of, column, len(self.cast.nodes)).astype(np.float64)

    def _servable(self, board: Board, missing_w: Column) -> dict[str, Mask]:
        cast = self.cast
        uncommitted_w = np.maximum(0.0, board.capacity_w - board.committed_w)
        in_part_w = np.bincount(cast.part_of, uncommitted_w, self._parts)[cast.part_of]
        of_node_w = self._by_node(uncommitted_w)[cast.node_of]
        return {
            STRICT: missing_w <= in_part_w,
            TOGETHER: self._with_smaller(missing_w) <= in_part_w,
            THESIS: missing_w <= of_node_w,
        }

    def _with_smaller(self, missing_w: Column) -> Column:
        """What each twin lacks and all in its part that lack less."""
        order = np.argsort(missing_w, kind="stable")
        sums_w = np.zeros_like(missing_w)
        for part in range(self._parts):
            own = order[self.cast.part_of[order] == part]
            sums_w[own] = np.cumsum(missing_w[own])
        return sums_w
