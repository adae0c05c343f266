"""The studies by name. A job is one microgrid; its result is one file.

late      a newcomer with 1, 2, 4 or 7 days of own data among established neighbours, its next week
nodes     established buildings of one data set: local, gossip by operator, federated oracle, pooled training
cluster   all nodes forecast the same sum (thesis 6.4): they joined at different times
hostile   one node of four sends what does harm
topology  chain, ring, random; loss, cut, absent nodes; with a cheap model
codec     weights through the codec of the nodes against float32, plain means, same seeds
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from host_tools.study.run import Run

from .cluster import cluster
from .codec import codec
from .established import nodes
from .hostile import hostile
from .late import late
from .plan import Plan
from .topology import topology

STUDIES = {
    "late": late,
    "nodes": nodes,
    "cluster": cluster,
    "hostile": hostile,
    "topology": topology,
    "codec": codec,
}


def jobs(plan: Plan, studies: tuple[str, ...]) -> Iterator[Run]:
    """All jobs of some studies, the most valuable first."""
    for study in studies:
        for seed in plan.seeds:
            for name, _ in STUDIES[study](plan, seed):
                told = plan.told | {"measured": plan.measured(name)}
                yield Run(study, f"{name}/s{seed}", told, partial(_play, plan, study, seed, name))


def _play(plan: Plan, study: str, seed: int, name: str) -> dict[str, Any]:
    """A job by its name, as its function is not one that can be sent to other processes."""
    return dict(STUDIES[study](plan, seed))[name]()
