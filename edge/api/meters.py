"""What the meters of a node measure: the power of each input, and the newest full record."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from .context import Context

if TYPE_CHECKING:
    from ..meter.reading import Reading


class Power(TypedDict):
    power_w: Annotated[float | None, "null: undefined"]
    age_s: Annotated[float, "since it was read"]


class MeterAnswer(TypedDict):
    meter: str
    bus: str
    address: int
    profile: str
    powers: Annotated[dict[str, Power], "by input: total, l1, l2, l3; empty before the first reading"]
    record: Annotated[
        dict[str, float], "by quantity: energies in Wh, voltages, currents, frequency; phases as l1.voltage_v"
    ]
    record_age_s: Annotated[float | None, "null: there was none yet"]


def meters(context: Context) -> list[MeterAnswer]:
    """Answers /meters."""
    node = context.node
    now_s = node.now_s()
    return [
        {
            "meter": meter.name,
            "bus": meter.bus,
            "address": meter.address,
            "profile": meter.profile,
            "powers": {
                device.partition(".")[2]: _power(reading, now_s)
                for device, reading in node.latest.items()
                if device.partition(".")[0] == meter.name
            },
            "record": _record(node.records.get(meter.name)),
            "record_age_s": _age_s(node.records.get(meter.name), now_s),
        }
        for meter in node.config.meters
    ]


def _power(reading: "Reading", now_s: float) -> Power:
    power_w = reading.power_w
    return {
        "power_w": None if power_w is None else round(power_w, 3),
        "age_s": round(now_s - reading.at_s, 1),
    }


def _record(reading: "Reading | None") -> dict[str, float]:
    record = (reading.record if reading else None) or {}
    return {key: round(value, 3) for key, value in record.items()}


def _age_s(reading: "Reading | None", now_s: float) -> float | None:
    return round(now_s - reading.at_s, 1) if reading else None
