"""What the aggregation law has made for the twins of a node, and of what (thesis 5.5.7)."""

from typing import Annotated, TypedDict

from .context import Context


class Contributor(TypedDict):
    twin: str
    node: str
    own: Annotated[bool, "it is the twin that aggregates"]
    hops: Annotated[int, "distance of its node"]
    age_s: Annotated[int, "age of its value when it was aggregated"]
    weight: float
    gone: Annotated[bool, "it has withdrawn its value since, or has fallen silent"]


class Aggregation(TypedDict):
    twin: str
    label: str
    operator: str
    reach: Annotated[int | None, "hops to the nodes whose values count; 0: this node only, null: everywhere"]
    keeps: Annotated[bool, "what was merged stays when its sources go"]
    since_s: Annotated[int | None, "time since the newest result; null without one"]
    at_work: Annotated[bool, "another one is under way"]
    complete: Annotated[bool, "every known node within reach has contributed"]
    bytes: Annotated[int, "length of the result"]
    sources: Annotated[int, "how many values are in it"]
    contributors: Annotated[list[Contributor], "at most the first 64 of them"]


def aggregations(context: Context) -> list[Aggregation]:
    """Answers /aggregations."""
    engine = context.node.engine
    found: list[Aggregation] = []
    for (handle, label), merged in engine.merged.items():
        agent = engine.agent_at(handle & 0xFFFF)
        if agent is None or agent.handle != handle:
            continue
        spec = merged.spec
        found.append(
            {
                "twin": agent.name,
                "label": label,
                "operator": spec.operator,
                "reach": None if spec.everywhere else spec.reach,
                "keeps": spec.keeps,
                "since_s": engine.space.tick - merged.tick if merged.tick else None,
                "at_work": merged.work is not None,
                "complete": merged.complete,
                "bytes": len(agent.aggregate_of(label)),
                "sources": merged.count,
                "contributors": [
                    {
                        "twin": each.agent,
                        "node": each.node,
                        "own": each.own,
                        "hops": each.hops,
                        "age_s": each.age_s,
                        "weight": each.weight,
                        "gone": each.gone,
                    }
                    for each in merged.contributors
                ],
            }
        )
    return found
