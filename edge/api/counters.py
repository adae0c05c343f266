"""The counters of energy: of the member, which is the node with all its devices, and of each twin."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from .context import Context

if TYPE_CHECKING:
    from ..counters import MemberEnergy


class MemberCounters(TypedDict):
    drawn_wh: Annotated[int, "by the devices of the node"]
    given_wh: int
    import_wh: Annotated[
        int, "drawn beyond what the devices gave at each moment: from the community, and the residual"
    ]
    export_wh: Annotated[int, "given beyond what they drew: to the community, and fed in"]
    from_community_wh: Annotated[int, "by contracts with other nodes, of the import"]
    residual_wh: Annotated[int, "the rest of the import"]
    to_community_wh: Annotated[int, "by contracts with other nodes, of the export"]
    fed_in_wh: Annotated[int, "the rest of the export"]


class TwinCounters(TypedDict):
    twin: str
    drawn_wh: Annotated[int | None, "by its device; null before the first is kept"]
    given_wh: int | None


class EnergyCounters(TypedDict):
    node: str
    member: Annotated[MemberCounters | None, "null before the first is kept"]
    twins: list[TwinCounters]


def counters(context: Context) -> EnergyCounters:
    """Answers /counters."""
    node = context.node
    found = node.counters.member
    twins = [(each.name, node.counters.twin(each.short_name)) for each in node.prosumers]
    return {
        "node": node.config.name,
        "member": _member(found) if found else None,
        "twins": [
            {"twin": name, "drawn_wh": each and each.drawn_wh, "given_wh": each and each.given_wh}
            for name, each in twins
            if context.caller.sees(name)
        ],
    }


def _member(found: "MemberEnergy") -> MemberCounters:
    return {
        "drawn_wh": found.drawn_wh,
        "given_wh": found.given_wh,
        "import_wh": found.import_wh,
        "export_wh": found.export_wh,
        "from_community_wh": found.from_community_wh,
        "residual_wh": found.residual_wh,
        "to_community_wh": found.to_community_wh,
        "fed_in_wh": found.fed_in_wh,
    }
