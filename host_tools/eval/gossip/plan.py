"""What all jobs of an evaluation of gossip share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from edge.learn.gossip import ExchangeSettings

from ..data import Reading
from .buildings import Building, building, measured, together
from .past import Start

SETS = {
    "combed_1min": ("ab_floor3", "ab_floor4_lifts", "ab_floor5", "lecture_block"),
    "mix_1min": ("n1_house_fr", "n2_house_uk_pv", "n3_flat_de", "n4_office_de", "n6_campus_ab_floor5_pv"),
    "ucsd_15min": (
        "central_plant",
        "east_campus",
        "geisel_library",
        "music_building",
        "social_science",
        "student_center",
        "trade_street",
    ),
}
LAB = "vergers_cluster_1min"  # of the cluster study, if it is there
OPERATORS = ("sampling_nb", "power_loss", "min_loss", "dist_power_hist", "skill", "auto")
NETWORKS = ("lstm", "mixture")
HALF = "half"  # a microgrid whose nodes have Markov chains and LSTM in turns (GEL of the thesis)
_IN_TURNS = {HALF: ("markov", "lstm")}
FORMAT = 2  # of what a job file keeps of a node; 1 had no scores without trivial hours
_MESSAGE_BYTES = 13_000

_TOLD = (
    "past_days",
    "days",
    "neighbour_days",
    "model",
    "start",
    "shipped",
    "train_every_min",
    "steps",
    "updates",
    "period_min",
    "gate",
    "noise",
)

Work: TypeAlias = Callable[[], dict[str, Any]]
Made: TypeAlias = Iterator[tuple[str, Work]]  # the jobs of a study by name


@dataclass(frozen=True)
class Plan:
    """What all jobs share. Times are in days or minutes."""

    data: Path
    reading: Reading
    cache: Path
    sets: tuple[str, ...] = ("combed_1min",)
    past_days: int = 16
    days: int = 7  # judged
    neighbour_days: int = 16  # of the past of the neighbours of a newcomer
    own_days: tuple[int, ...] = (1, 2, 4, 7)
    newcomers: tuple[str, ...] = ()  # of `late`; none are all nodes of the sets
    operators: tuple[str, ...] = OPERATORS
    model: str = "mixture"
    start: str = "house"
    shipped: bool = True  # whether established nodes begin with it; else with random networks of one seed
    train_every_min: int = 240
    steps: int = 10  # of an update
    updates: int = 40  # at the end of the past of established nodes
    period_min: int = 60
    gate: str = "better"
    noise: float = 0.0  # on weights that are sent, in units of the usual difference
    seeds: tuple[int, ...] = (1,)

    @property
    def told(self) -> dict[str, Any]:
        """What a result depends on, for its file."""
        return {"format": FORMAT, **{name: getattr(self, name) for name in _TOLD}}

    def of_node(self, number: int) -> "Plan":
        """The plan of one node of a microgrid: with the model that it has by its number, from 0."""
        models = _IN_TURNS.get(self.model, (self.model,))
        return replace(self, model=models[number % len(models)])

    def measured(self, job: str) -> str:
        """A digest of the data of a job: of the sets that it names, or of all and the living lab."""
        named = [each for each in job.split("/") if each in SETS]
        names = [f"{each}/{name}" for each in named or self.sets for name in SETS[each]]
        return measured(self.data, self.reading, names if named else [*names, LAB])

    def building(self, name: str) -> Building:
        """One building by "set/node"."""
        return building(self.data, self.reading, name, self.past_days, self.cache)

    def buildings(self, names: list[str]) -> list[Building]:
        """Buildings of one microgrid, from the same midnight on."""
        return together([self.building(name) for name in names])

    def begins(self, model: str, started: bool, updates: int = 0) -> Start:
        """How a learner begins."""
        options: tuple[tuple[str, Any], ...] = ()
        if model in NETWORKS:
            options = (("steps", self.steps),)
            if started:
                options = (("start", self.start), *options)
        return Start(model, options, updates if started else 0, self.train_every_min)

    def settings(self, **given: Any) -> ExchangeSettings:
        """The settings of an exchange."""
        usual: dict[str, Any] = {
            "model_every_min": self.period_min,
            "message_bytes": _MESSAGE_BYTES,
            "gate": self.gate,
            "noise": self.noise,
        }
        return ExchangeSettings(**usual | given)
