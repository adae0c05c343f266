"""The trial of a release or a configuration on the running node, and the way back.

It is written down before it begins and crossed out when it has ended: one that a power cut interrupts
is undone before the next start. The node does all of it alone, so a connection that is lost changes nothing.
"""

import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from typing import Any

from .intake import verify
from .places import BASE, ROOT, TRIAL, Refused, factory_id, health, release_at, running_id, target
from .switch import confirm, exchange, point, prune, switch, sync

SYSTEMCTL = str(ROOT / "usr/bin/systemctl")
HEALTHY_TIMES = 3
RESTART_TIMEOUT_S = 150
_LOOK_EVERY_S = 0.5


def attempt(name: str | None, folders: list[str], wait_s: float) -> bool:
    """Switch to a release (None: the factory's) and new folders, restart, wait for health; else go back.

    Raises Refused if what is to be tried is not whole.
    """
    undo()
    expected = name or factory_id()
    if expected is None:
        raise Refused("there is no release to go to")
    if name:
        verify(release_at(name))
    for folder in folders:
        if not (BASE / f"{folder}.new").is_dir():
            raise Refused(f"no new {folder} was sent")
    before, well = running_id(), False
    try:
        _write_down(folders)
        for folder in folders:
            exchange(folder)
        switch(name)
        well = _restart(folders) and _healthy(expected, wait_s)
        if well:
            _settle(name, folders)
    finally:
        if not well:
            say(f"unwell, going back to {before or 'nothing: there was no release before'}")
            undo()
            if before is None:
                _systemctl("stop", "edge.service")
            elif not (_restart(folders) and _healthy(before, wait_s)):
                say(f"{before} is not healthy either")
    return well


def undo() -> list[str]:
    """Take back a trial that has not ended; the folders that were exchanged back."""
    try:
        trial = json.loads(TRIAL.read_bytes())
    except FileNotFoundError:
        return []
    back = []
    for folder, inode in trial["folders"].items():
        with suppress(FileNotFoundError):
            if os.stat(BASE / folder).st_ino == inode:
                exchange(folder)
                back.append(folder)
    for link in ("current", "previous"):
        if target(link) != trial[link]:
            point(link, trial[link])
    _cross_out()
    return back


def recover() -> None:
    """Before a start: undo a trial that was cut off."""
    if TRIAL.exists():
        if undo():
            _systemctl("--no-block", "try-restart", "mosquitto.service")
        say(
            f"a trial that was interrupted is undone: {target('current') or 'the factory release'} is current"
        )


def say(text: str) -> None:
    """To whoever listens; that nobody does any more ends no trial."""
    with suppress(OSError):
        print(text, flush=True)


def _write_down(folders: list[str]) -> None:
    trial = {
        "current": target("current"),
        "previous": target("previous"),
        "folders": {folder: os.stat(BASE / f"{folder}.new").st_ino for folder in folders},
    }
    partial = TRIAL.with_suffix(".partial")
    with partial.open("w") as file:
        json.dump(trial, file)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(TRIAL)
    sync(BASE)


def _cross_out() -> None:
    TRIAL.unlink()
    sync(BASE)


def _settle(name: str | None, folders: list[str]) -> None:
    if name:
        confirm(name)
    _cross_out()
    for folder in folders:
        shutil.rmtree(BASE / f"{folder}.new", ignore_errors=True)
    for gone in prune():
        say(f"removed {gone}")


def _restart(folders: list[str]) -> bool:
    began_s = time.monotonic()
    well = all(
        _systemctl("restart", unit) for unit in (["mosquitto.service"] if folders else []) + ["edge.service"]
    )
    say(f"{'restarted' if well else 'did not start'} in {time.monotonic() - began_s:.1f} s")
    return well


def _systemctl(*words: str) -> bool:
    try:
        done = subprocess.run(
            [SYSTEMCTL, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
            timeout=RESTART_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"systemctl {' '.join(words)}: {error}")
        return False
    return done.returncode == 0


def _healthy(name: str, wait_s: float) -> bool:
    """It is that release, and no part of it has failed, several times in a row.

    Troubles around it, as a neighbour or a meter out of reach, are told and no reason to go back.
    """
    began_s, times = time.monotonic(), 0
    seen: dict[str, Any] | None = None
    while times < HEALTHY_TIMES:
        time.sleep(_LOOK_EVERY_S)
        seen = health()
        times = times + 1 if not _unwell(seen, name) else 0
        if not times and time.monotonic() - began_s > wait_s:
            say(f"not healthy within {wait_s:.0f} s: {_unwell(seen, name)}")
            return False
    troubles = map(_text, (seen or {}).get("troubles", []))
    say("; ".join([f"{name} is healthy after {time.monotonic() - began_s:.1f} s", *troubles]))
    return True


def _text(trouble: Any) -> str:
    """What a trouble says; releases before 0.2.0 tell it as plain text."""
    return str(trouble["text"] if isinstance(trouble, dict) else trouble)


def _unwell(seen: dict[str, Any] | None, name: str) -> str:
    """Why it is not the healthy release of that name; "" if it is."""
    if seen is None:
        return "it does not answer"
    if seen.get("release") != name:
        return f"{seen.get('release') or 'another release'} runs"
    failed = [f"{key}: {seen[key]}" for key in ("faults", "failures", "invariants_broken") if seen.get(key)]
    return ", ".join(failed)
