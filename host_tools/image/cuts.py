"""Power cuts of a booted image: nothing has to be repaired, and little data is lost."""

import time

from edge.config.settings import HistorySettings

from .emulate import Emulator
from .guest import GuestError
from .proofs import SWING_W, boots, contracts
from .remains import Remains, remains
from .trial import Trial

MOST_LOST_S = 10.0
STEP_AT_MOST = 2**8  # largest step between saved incarnations (edge/incarnation.py)
_WRITE_MIN = HistorySettings().write_min
_SEEN_S = 40.0  # a minute observed for this long is recorded (edge/twins/minute.py)


def survives_cuts(trial: Trial, machine: Emulator) -> str:
    """Cut the power several times. After each cut the file system, the state and the history must be intact.

    The minutes that were to be written 10 s before the cut must be in the history, and all older ones, too.
    The first cut waits until there are some.
    """
    identity, trial.swing_w = _host_key(trial), SWING_W
    lost_s: list[float] = []
    last: Remains | None = None
    owed = 0
    up_s = _guest_time(trial)
    for number in range(1, trial.cuts + 1):
        ahead_s = _guest_time(trial) - time.time()
        time.sleep(trial.rng.uniform(6.0, 60.0))
        if number == 1:
            time.sleep(until_minutes_are_owed_s(up_s, time.time() + ahead_s))
        cut_at_s = time.time() + ahead_s
        machine.cut_power()
        found = remains(trial.card, trial.folder)
        _is_remembered(number, found, last)
        written = int(cut_at_s - MOST_LOST_S) // 60
        new = range(int(up_s + _SEEN_S) // 60, written - written % _WRITE_MIN)
        _has_minutes(number, found, last, new)
        owed += len(new)
        last = found
        lost_s.append(round(cut_at_s - found.state_written_s, 1))
        print(
            f"    cut {number}: {found.verdict}; state saved {lost_s[-1]} s before the cut, history intact, "
            f"{len(found.minutes)} minutes",
            flush=True,
        )
        print(f"    restarted: {boots(trial, machine)}", flush=True)
        up_s = _guest_time(trial)
        _is_whole(trial, number, identity)
        contracts(trial, machine)
    machine.cut_power()
    found = remains(trial.card, trial.folder)
    _is_remembered(trial.cuts + 1, found, last)
    _has_minutes(trial.cuts + 1, found, last, range(0))
    trial.report |= {"lost_s": lost_s, "minutes_owed": owed}
    if max(lost_s) > MOST_LOST_S:
        raise GuestError(f"a power cut lost {max(lost_s)} s of data, more than {MOST_LOST_S:g} s")
    return (
        f"{trial.cuts} power cuts; nothing to repair, contracts restored, at most {max(lost_s)} s lost; "
        f"the history has all {owed} minutes that were written 10 s before a cut, and all older ones"
    )


def until_minutes_are_owed_s(up_s: float, now_s: float) -> float:
    """How long until a cut would show whether two minutes or more, that passed since `up_s`, were written.

    The minutes are written so many at a time that few cuts show it otherwise.
    """
    step_s = 60.0 * _WRITE_MIN
    write_s = -(-(up_s + _SEEN_S + 120.0) // step_s) * step_s
    return max(0.0, write_s + MOST_LOST_S + 1.0 - now_s)


def _guest_time(trial: Trial) -> float:
    """The time of the node's clock, in seconds since 1970."""
    return float(trial.guest.run("date +%s.%N"))


def _is_remembered(number: int, found: Remains, last: Remains | None) -> None:
    """Check that the node kept its twins and derived its incarnation from the saved one."""
    twins, incarnation = found.memory["twins"], found.memory["incarnation"]
    if last and (
        twins.keys() != last.memory["twins"].keys()
        or not 0 < incarnation - last.memory["incarnation"] <= STEP_AT_MOST
    ):
        raise GuestError(
            f"at cut {number} the node knew {sorted(twins)}, incarnation {incarnation}; "
            f"at the one before {sorted(last.memory['twins'])}, {last.memory['incarnation']}"
        )


def _has_minutes(number: int, found: Remains, last: Remains | None, new: range) -> None:
    """Check that no minute was lost, and that those between start and cut are present."""
    owed = frozenset(new) | (last.minutes if last else frozenset())
    if missing := owed - found.minutes:
        raise GuestError(
            f"after cut {number} the history lacks {len(missing)} minutes, the first is {min(missing)}"
        )


def _is_whole(trial: Trial, number: int, identity: str) -> None:
    health = trial.guest.ask("/health")
    said = trial.guest.run("journalctl -u edge -b --no-pager -o cat")
    if "set aside" in said or health["state_failures"] or health["invariants_broken"]:
        raise GuestError(f"after cut {number} the state was damaged: {said[-500:]}")
    if _host_key(trial) != identity:
        raise GuestError(f"after cut {number} the host key has changed")


def _host_key(trial: Trial) -> str:
    return (trial.folder / "known_hosts").read_text()
