"""What the file does not state of a bus: speed, parity, stop bits and pause follow from the meters on it."""

from collections.abc import Sequence
from typing import Any

from ..meter.profile import Profile, ProfileError, load_profile
from ..meter.settings import PAUSE_S
from .learning import Complain

_LINE = ("baud", "parity", "stop_bits")
_SHARE = 0.5  # of the time may be spent in pauses
Row = dict[str, Any]


def complete_buses(
    raw: Sequence[Row], buses: Sequence[Row], meters: Sequence[Row], complain: Complain
) -> None:
    """Replace the defaults in `buses` by what the profiles know; `raw` tells what the file states."""
    for i, (stated, bus) in enumerate(zip(raw, buses, strict=True)):
        on_it = [
            (meter, profile) for meter in meters if meter["bus"] == bus["name"] if (profile := _known(meter))
        ]
        if "://" not in bus["port"]:
            for key in _LINE:
                if key not in stated:
                    _take(f"bus[{i}].{key}", key, bus, on_it, complain)
        room_s = _room_s(on_it)
        if "pause_s" not in stated:
            needed_s = max((profile.line.get("pause_s", PAUSE_S) for _, profile in on_it), default=PAUSE_S)
            bus["pause_s"] = 0.0 if bus["port"].startswith("tcp://") else min(needed_s, room_s)
        elif bus["pause_s"] > 2 * room_s:
            complain(
                f"bus[{i}].pause_s",
                bus["pause_s"],
                f"leaves no time for the readings of its meters: at most {room_s:.2f}, or longer periods",
            )


def _take(where: str, key: str, bus: Row, on_it: Sequence[tuple[Row, Profile]], complain: Complain) -> None:
    """The value that the profiles know, if they agree."""
    known = {meter["name"]: profile.line[key] for meter, profile in on_it if key in profile.line}
    values = set(known.values())
    if len(values) == 1:
        bus[key] = values.pop()
    elif values:
        each = ", ".join(f"{name}: {value}" for name, value in known.items())
        complain(where, None, f"must be stated, because the profiles of its meters disagree ({each})")


def _room_s(on_it: Sequence[tuple[Row, Profile]]) -> float:
    """The longest pause that leaves half of the time for the requests themselves."""
    requests_per_s = sum(
        len(profile.power_blocks) / meter["power_period_s"]
        + (len(profile.record_blocks) - len(profile.power_blocks)) / meter["record_period_s"]
        for meter, profile in on_it
    )
    return _SHARE / requests_per_s if requests_per_s else 1.0


def _known(meter: Row) -> Profile | None:
    """Its profile; None if it is not valid, which is reported elsewhere."""
    try:
        return load_profile(meter["profile"])
    except ProfileError:
        return None
