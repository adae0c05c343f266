"""The learning twin: it predicts what its node and the microgrid will draw and give (thesis 3.2.4, 4.3).

It publishes the total of the node, and reads off that property what the aggregation law made of the totals
of all nodes. After each minute the models of both scopes observe its means and predict the states to come.
Importing this module loads numpy, so only a node that learns does.
"""

import logging
import math
import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ..learn import heap, lean_numpy

heap.tune()
lean_numpy.prepare()  # before anything imports numpy

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from ..csv_file import Column  # noqa: E402
from ..energy.rules import EVENT  # noqa: E402
from ..energy.totals import SUM_OF_TOTALS, TOTAL, Powers, encode_total, read_sum  # noqa: E402
from ..learn.external import PowerTable  # noqa: E402
from ..learn.outlook import Forecast  # noqa: E402
from ..learn.terms import Array  # noqa: E402
from ..learn.weather import WeatherTable  # noqa: E402
from ..space.agent import Bond  # noqa: E402
from ..space.lsa import EVERYWHERE, HERE, Aggregation  # noqa: E402
from .community_settings import shown_total  # noqa: E402
from .learning_settings import LearningSettings  # noqa: E402
from .minute import RunningMinute  # noqa: E402
from .past import POWERS, WEATHER, forecast_of, weather_of  # noqa: E402
from .prediction import PRED, PRED_W, Prediction  # noqa: E402
from .recorder import LOOK_EVERY_S  # noqa: E402
from .scope import Scope  # noqa: E402
from .source import Source, Table  # noqa: E402
from .twin import Home, Twin  # noqa: E402

if TYPE_CHECKING:
    from array import array

    from ..space.engine import Engine
    from .gossip import Gossip

log = logging.getLogger("edge.learning")
_TELL_EVERY_S = 5.0  # at most: every change crosses the whole microgrid
_MOVED, _MOVED_W = 0.01, 1.0  # a power is published again if it changed by more than both
_PRED_LIFE_S = 150
_PRED_W_LIFE_S = 450  # a little longer than the time to the next one


class LearningTwin(Twin):
    """One on a node that learns."""

    kind = "learning"
    wants: tuple[str, ...] = (EVENT,)

    def __init__(self, settings: LearningSettings, home: Home, rng: random.Random) -> None:
        """Raises ValueError for options that no model knows, RuntimeError without a runtime for networks."""
        super().__init__("learning", home)
        self.settings = settings
        self.nodes_summed = 1
        self.sources: dict[str, Source] = {}  # of weather, and of forecasts by scope
        self.gossip: Gossip | None = None
        self.scopes = self._scopes(rng)
        if self.gossip is not None:
            self.wants = (*type(self).wants, *self.gossip.labels)
        self.minute: int | None = None  # the current one
        self.running = {"node": home.running, "cluster": RunningMinute()}
        self._published: Powers | None = ()  # None: that it is unknown
        self._published_s = -math.inf

    def _scopes(self, rng: random.Random) -> dict[str, Scope]:
        """All nodes that gossip begin with the same weights, so their models have the same seed."""
        settings, home = self.settings, self.home
        weather = self._source("weather", settings.weather, WEATHER, weather_of, WeatherTable)
        seeds = [rng.getrandbits(64) for _ in settings.scopes]
        scopes = {}
        for each, own in zip(settings.scopes, seeds, strict=True):
            others = self._source(each.scope, each.forecast, POWERS, forecast_of, PowerTable)
            seed, made = own, None
            if settings.gossip.wanted:
                from .gossip import exchange_for

                seed = zlib.crc32(each.model.encode())
                made = exchange_for(settings.gossip, each, len(seeds), home, random.Random(own))
            scopes[each.scope] = Scope(each, home, weather, seed, others, made)
        if settings.gossip.wanted:
            from .gossip import Gossip

            self.gossip = Gossip(home, scopes)
        return scopes

    def _source(
        self,
        name: str,
        place: str,
        columns: tuple[Column, ...],
        rows_of: "Callable[..., tuple[array[int], array[float]]]",
        make: Callable[[NDArray[np.int64], Array], Table],
    ) -> Source | None:
        """A file or an address of the settings; None if there is none."""
        if not place:
            return None

        def read(path: Path) -> tuple[NDArray[np.int64], Array]:
            times_s, values = rows_of(path, self.home.zone.tzinfo, log.warning)
            minutes = np.array(times_s, np.int64) // 60
            rising = np.diff(minutes, prepend=-1) > 0  # else two times in one minute
            return minutes[rising], np.array(values, np.float32).reshape(-1, len(columns))[rising]

        folder = self.home.folder
        cache = folder / "sources" / f"{name}.csv" if folder else None
        self.sources[name] = Source(place, cache, read, make, tuple(each.name for each in columns))
        return self.sources[name]

    @property
    def trouble(self) -> str:
        """Why a source of weather or forecasts is not used; empty if all are."""
        return next((each.trouble for each in self.sources.values() if each.trouble), "")

    # ---- the six powers ------------------------------------------------------------------------

    def joined(self, engine: "Engine") -> None:
        super().joined(engine)
        if self.home.tally is None:
            self.aggregate([Aggregation(TOTAL, SUM_OF_TOTALS, EVERYWHERE)])

    def bonded(self, bond: Bond) -> None:
        if self.gossip is not None:
            self.gossip.noticed(bond)

    def decayed(self, name: str, life_s: int) -> None:
        if not life_s and self.gossip is not None:
            self.gossip.left(name)
        if name == self.name and self._clock.now_s() >= self.home.looked_s + LOOK_EVERY_S:
            self.stir()

    def act(self) -> None:
        powers_w, now_s = self.home.look(), self._clock.now_s()
        self._publish(powers_w, now_s)
        self.running["cluster"].hold(self.cluster_w(), now_s)

    def left(self) -> None:
        super().left()
        self._published, self._published_s = (), -math.inf

    def cluster_w(self) -> Powers | None:
        """The six powers of all nodes that know theirs; of this one where there is no other."""
        tally = self.home.tally
        summed = tally.summed(self._clock.now_s()) if tally else read_sum(self.aggregate_of(TOTAL))
        if summed is None:
            self.nodes_summed = 1
            return self.home.total()
        self.nodes_summed, powers_w = summed
        return powers_w

    def _publish(self, powers_w: Powers | None, now_s: float) -> None:
        if self.home.tally:
            return  # another twin tells them
        powers_w = shown_total(powers_w, self.home.community)
        if powers_w is None:
            if self._published is not None:
                self._published = None
                self.submit(TOTAL, encode_total(None))
            return
        if now_s - self._published_s >= _TELL_EVERY_S and _moved(self._published, powers_w):
            self._published, self._published_s = powers_w, now_s
            self.submit(TOTAL, encode_total(powers_w))

    # ---- the minutes ---------------------------------------------------------------------------

    def minute_passed(self, minute: int, ended: int | None, powers_w: Sequence[float] | None) -> None:
        if self.minute is None:
            for source in self.sources.values():
                source.start()
            for scope in self.scopes.values():
                scope.begin(minute)
        self.minute = minute
        cluster_w = self.running["cluster"].close(self._clock.now_s())
        if ended is not None:
            if cluster_w is not None and "cluster" in self.scopes:
                self.home.history.note_minute("cluster", ended, cluster_w)
            means_w = {"node": powers_w, "cluster": cluster_w}
            predicted = [
                name for name, scope in self.scopes.items() if self._observe(scope, ended, means_w[name])
            ]
            if self.gossip is not None:
                self.gossip.minute_passed(predicted)
        self.stir()

    def _observe(self, scope: Scope, minute: int, powers_w: Sequence[float] | None) -> bool:
        """Whether the scope has predicted."""
        if powers_w is None or not scope.observe(minute, powers_w) or scope.prediction is None:
            return False
        self._show(scope)
        return True

    def _show(self, scope: Scope) -> None:
        assert scope.prediction is not None
        value = encode_prediction(scope.settings.model, scope.prediction)
        reach = HERE if scope.name == "node" else EVERYWHERE
        self.submit(PRED[scope.name], value, life_s=_PRED_LIFE_S, reach=reach)

    def second_passed(self) -> None:
        if self.gossip is not None:
            self.gossip.second_passed()

    # ---- the work ------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether the past is being loaded, something is exchanged, or a merge or a training is due."""
        return self._gossips or any(scope.has_work for scope in self.scopes.values())

    @property
    def _gossips(self) -> bool:
        return bool(self.handle) and self.gossip is not None and self.gossip.has_work

    @property
    def only_training(self) -> bool:
        """Whether only merging and training are left to do."""
        return not self._gossips and all(
            scope.ready and not scope.forecasting for scope in self.scopes.values()
        )

    def work(self) -> None:
        """A few milliseconds of it. One scope after the other, so that only one training is in memory."""
        scopes = self.scopes.values()
        unready, due, busy, merging = (
            [s for s in scopes if not s.ready and s.has_work],
            [s for s in scopes if s.forecasting],
            [s for s in scopes if s.at_work],
            [s for s in scopes if s.merge_due],
        )
        if self._gossips and self.gossip is not None and not unready and not due:
            settled = self.gossip.work(self._share)
            if settled and self.scopes[settled].settled:
                self._show(self.scopes[settled])
            return
        for scope in (*unready, *due, *busy, *merging, *scopes):
            if scope.has_work:
                before, ready = scope.forecast, scope.ready
                scope.work()
                if self.gossip is not None and scope.ready and not ready:
                    self.gossip.ready(scope.name)
                if scope.forecast is not None and scope.forecast is not before:
                    self.submit(
                        PRED_W[scope.name], encode_forecast(scope.forecast), life_s=_PRED_W_LIFE_S, reach=HERE
                    )
                return

    def _share(self, label: str, value: bytes, life_s: int, reach: int) -> None:
        self.submit(label, value, life_s=life_s, reach=reach)

    def keep(self) -> None:
        for source in self.sources.values():
            source.stop()
        for scope in self.scopes.values():
            scope.keep()

    def troubles(self) -> Iterable[tuple[str, str]]:
        for name, source in self.sources.items():
            if source.trouble:
                what = name if name == "weather" else f"forecast of the {name}"
                yield "past_not_used", f"{what}: {source.trouble}"
        for scope in self.scopes.values():
            if scope.past_trouble:
                yield "past_not_used", f"past minutes of the {scope.name}: {scope.past_trouble}"
            if scope.model_trouble:
                yield "model_damaged", f"learning of the {scope.name} began without it: {scope.model_trouble}"
            if scope.faults:
                yield "learning_failed", f"learning of the {scope.name} failed: {scope.trouble}"
        if self.gossip is not None:
            yield from self.gossip.troubles()

    def warnings(self) -> Iterable[tuple[str, str]]:
        return () if self.gossip is None else self.gossip.warnings()


def encode_prediction(model: str, prediction: Prediction) -> bytes:
    """As it is published: JSON, probabilities in thousandths by variable, horizon and state."""
    thousandths = (1000 * prediction.probabilities).round().astype(int).tolist()
    return orjson.dumps({"minute": prediction.minute, "model": model, "p": thousandths})


def encode_forecast(forecast: Forecast) -> bytes:
    """As it is published: the minute in eight bytes, then the powers as `outlook.unpacked` reads them."""
    return forecast.minute.to_bytes(8, "little") + forecast.packed


def _moved(published: Powers | None, now: Powers) -> bool:
    if not published:
        return True
    return any(
        abs(new - old) > max(_MOVED_W, _MOVED * old) or (new == 0) != (old == 0)
        for old, new in zip(published, now, strict=True)
    )
