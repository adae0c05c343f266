"""Finds what hangs on a bus: speed, parity, addresses and profiles. It only reads.

A slave is there if it answers anything, a refusal included. Its profile is the one whose registers it answers
with values that a meter can have: mains voltage, mains frequency, powers that fit each other.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edge.clock import Clock

from .errors import BusError, PortLost, SlaveException
from .port import Port
from .profile import Profile, load_profile, shipped_profiles
from .registers import assemble, contradiction
from .rtu import RtuMaster
from .settings import BusSettings

# The usual ones first.
SPEEDS = (
    (9600, "N"), (19200, "E"), (2400, "N"), (9600, "E"), (19200, "N"), (38400, "N"), (115200, "N"),
    (4800, "N"), (9600, "O"), (38400, "E"), (57600, "N"), (1200, "N"),
)  # fmt: skip
PAUSE_S = 0.1
_QUESTIONS = ((4, 0, 2), (3, 0, 2))  # function, first register, count
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A slave. `profiles` are those that fit, the best first; `power_w` is what the best one reads."""

    address: int
    profiles: Sequence[str]
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """What answered, and with which settings of the bus."""

    bus: BusSettings
    slaves: Sequence[Found]


def probe(
    bus: BusSettings,
    addresses: Sequence[int],
    speeds: Iterable[tuple[int, str]],
    clock: Clock,
    open_port: Callable[[BusSettings], Port],
    tell: Tell,
) -> Result | None:
    """Try the speeds until something answers; None if nothing does. Raises PortLost."""
    tried = [replace(bus, baud=baud, parity=parity, pause_s=PAUSE_S) for baud, parity in speeds]
    for settings in tried:
        port = open_port(settings)
        try:
            master = RtuMaster(port, settings.timeout_s, clock, settings.pause_s)
            there: list[int] = []
            for number, address in enumerate(addresses, 1):
                tell(
                    f"{settings.baud} baud, parity {settings.parity}: address {address} "
                    f"({number} of {len(addresses)}), {len(there)} found"
                )
                if _answers(master, address):
                    there.append(address)
            if there:
                tell(f"{len(there)} found; looking for their profiles")
                return Result(settings, [_identify(master, address) for address in there])
        finally:
            port.close()
    return None


def _answers(master: RtuMaster, address: int) -> bool:
    for function, start, count in _QUESTIONS:
        try:
            master.read_registers(address, function, start, count)
        except SlaveException as error:
            if error.code in (10, 11):  # of a gateway: nobody there
                continue
            return True
        except PortLost:
            raise
        except BusError:
            continue
        return True
    return False


def _identify(master: RtuMaster, address: int) -> Found:
    fitting = sorted(_fitting(master, address), key=lambda each: -each[0])
    names = [name for _, name, _ in fitting]
    return Found(address, names, fitting[0][2] if fitting else None)


def _fitting(master: RtuMaster, address: int) -> Iterator[tuple[int, str, float | None]]:
    """(number of registers, name, power) of each profile that the slave answers as a whole."""
    for name in shipped_profiles():
        profile = load_profile(name)
        values = _read(master, address, profile)
        if values is not None and _possible(values):
            yield sum(each is not None for each in values.values()), name, values.get("power_w")


def _read(master: RtuMaster, address: int, profile: Profile) -> dict[str, float | None] | None:
    values: dict[str, float | None] = {}
    for block in profile.record_blocks:
        for last in (False, True):
            try:
                data = master.read_registers(address, block.function, block.start, block.count)
                break
            except (PortLost, SlaveException) as error:
                if isinstance(error, PortLost):
                    raise
                return None
            except BusError:
                if last:
                    return None
        values |= assemble(block.decode(data))
    return values


def _possible(values: dict[str, float | None]) -> bool:
    """Whether a meter on the mains can have measured this. All zeros are not enough.

    Powers and voltages must be known; anything else may be undefined, such as a power factor without a load.
    """
    needed_keys = ("power_w", "voltage_v", "frequency_hz")
    needed = [value for key, value in values.items() if key.endswith(needed_keys)]
    if contradiction(values) or None in needed:
        return False
    frequency_hz = values.get("frequency_hz")
    voltages_v = [value for key, value in values.items() if key.endswith("voltage_v") and value]
    if frequency_hz is not None and not 45.0 <= frequency_hz <= 65.0:
        return False
    if not all(80.0 <= each <= 480.0 for each in voltages_v):
        return False
    if frequency_hz or voltages_v:
        return True
    return bool(values.get("import_energy_wh") or values.get("power_w"))


def as_toml(result: Result) -> str:
    """The tables to paste into the configuration of a node."""
    bus = result.bus
    lines = ["[[bus]]", 'name = "rs485"', f'port = "{bus.port}"']
    if "://" not in bus.port:
        lines += [f"baud = {bus.baud}", f'parity = "{bus.parity}"', f"stop_bits = {bus.stop_bits}"]
    for slave in result.slaves:
        lines += [
            "",
            "[[meter]]",
            f'name = "meter_{slave.address}"',
            'bus = "rs485"',
            f"address = {slave.address}",
        ]
        if not slave.profiles:
            lines += ['# profile = "..." # it answers, but no shipped profile fits']
            continue
        others = ", ".join(slave.profiles[1:])
        power = "" if slave.power_w is None else f" # reads {slave.power_w:.0f} W now"
        power += f"; these fit, too: {others}" if power and others else ""
        lines.append(f'profile = "{slave.profiles[0]}"{power}')
    return "\n".join(lines) + "\n"
