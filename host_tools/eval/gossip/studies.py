"""The studies by name. A job is one microgrid; its result is one file.

late      a newcomer with 1, 2, 4 or 7 days of own data among established neighbours, its next week
nodes     established buildings of one data set: local, gossip by operator, federated oracle
cluster   all nodes forecast the same sum (thesis 6.4): they joined at different times
hostile   one node of four sends what does harm
topology  chain, ring, random; loss, cut, absent nodes; with a cheap model
codec     weights through the codec of the nodes against float32, plain means, same seeds
"""

from collections.abc import Iterator

from .cluster import cluster
from .codec import codec
from .established import nodes
from .hostile import hostile
from .late import late
from .plan import Job, Plan
from .topology import topology

STUDIES = {
    "late": late,
    "nodes": nodes,
    "cluster": cluster,
    "hostile": hostile,
    "topology": topology,
    "codec": codec,
}


def jobs(plan: Plan, studies: tuple[str, ...]) -> Iterator[Job]:
    """All jobs of some studies, the most valuable first."""
    for study in studies:
        for seed in plan.seeds:
            for name, work in STUDIES[study](plan, seed):
                yield Job(study, f"{name}/s{seed}", work, plan.told)
