"""The trial of a release or a configuration on the running node, and its rollback.

A trial is recorded before it begins and the record is removed when it ends, so a trial that is interrupted by
a power cut is undone before the next start. The node does all of it by itself; a lost connection changes
nothing.
"""

import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from typing import Any

from .manifest import Refused, checked_id
from .places import (
    BASE,
    FOLDERS,
    RELEASES,
    ROOT,
    TRIAL,
    factory_id,
    health,
    is_sound,
    release_at,
    running_id,
    target,
    verify,
)
from .switch import confirm, exchange, make_room, point, prune, switch, sync

SYSTEMCTL = str(ROOT / "usr/bin/systemctl")
HEALTHY_TIMES = 3
RESTART_TIMEOUT_S = 150
_LOOK_EVERY_S = 0.5


def attempt(name: str | None, folders: list[str], wait_s: float) -> bool:
    """Switch to a release (None: the factory release) and new folders, restart, and roll back unless healthy.

    Raises Refused if the release or a folder is incomplete.
    """
    undo()
    expected = name or factory_id()
    if expected is None:
        raise Refused("there is no release to switch to")
    if name:
        verify(release_at(name))
    for folder in folders:
        if not (BASE / f"{folder}.new").is_dir():
            raise Refused(f"no new {folder} has been received")
    before, well = running_id(), False
    with suppress(OSError):  # a roll-back must be possible on a full disk, too
        make_room(0, keep=name or "")
    try:
        _record(folders)
        for folder in folders:
            exchange(folder)
        switch(name)
        well = _restart(folders) and _healthy(expected, wait_s)
        if well:
            _settle(name, folders)
    finally:
        if not well:
            say(f"not healthy, rolling back to {before or 'nothing: there was no release before'}")
            undo()
            if before is None:
                _systemctl("stop", "edge.service")
            elif not (_restart(folders) and _healthy(before, wait_s)):
                say(f"{before} is not healthy either")
    return well


def fallback() -> str | None:
    """The release to roll back to: the previous one, or None (the factory release) if that is damaged."""
    previous = target("previous")
    if previous and not is_sound(RELEASES / previous):
        say(f"the previous release {previous} is damaged or missing: the factory release is used")
        return None
    return previous


def undo() -> list[str]:
    """Undo an unfinished trial; returns the folders that were restored.

    A record that cannot be read is set aside: the launcher gives up a release that was never confirmed.
    """
    if not os.path.lexists(TRIAL):
        return []
    trial = _recorded()
    if trial is None:
        TRIAL.rename(TRIAL.with_suffix(".invalid"))
        sync(BASE)
        say("trial.json was not valid: set aside as trial.invalid, current and previous stay")
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
    _remove_record()
    return back


def _recorded() -> dict[str, Any] | None:
    """The record of a trial, or None if it is not valid."""
    try:
        if not TRIAL.is_file():  # reading a pipe would never end
            return None
        trial = json.loads(TRIAL.read_bytes())
        folders, links = trial["folders"], [trial["current"], trial["previous"]]
        right = folders.keys() <= FOLDERS.keys() and all(type(inode) is int for inode in folders.values())
        for link in links:
            if link is not None:
                checked_id(link)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, Refused):
        return None
    return dict(trial) if right else None


def recover() -> None:
    """Undo an interrupted trial, before a start."""
    if os.path.lexists(TRIAL):
        if undo():
            _systemctl("--no-block", "try-restart", "mosquitto.service")
        say(f"an interrupted trial was undone: {target('current') or 'the factory release'} is current")


def say(text: str) -> None:
    """Print a line. A lost connection must not end the trial."""
    with suppress(OSError):
        print(text, flush=True)


def _record(folders: list[str]) -> None:
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


def _remove_record() -> None:
    TRIAL.unlink()
    sync(BASE)


def _settle(name: str | None, folders: list[str]) -> None:
    if name:
        confirm(name)
    _remove_record()
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
    """Wait until the release runs without failures, in several checks in a row.

    Problems around the node, such as an unreachable neighbour or meter, are reported but cause no rollback.
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
    found = (seen or {}).get("troubles")
    troubles = map(_text, found if isinstance(found, list) else [])
    say("; ".join([f"{name} is healthy after {time.monotonic() - began_s:.1f} s", *troubles]))
    return True


def _text(trouble: Any) -> str:
    """What a trouble says; releases before 0.2.0 tell it as plain text."""
    return str(trouble.get("text") if isinstance(trouble, dict) else trouble)


def _unwell(seen: dict[str, Any] | None, name: str) -> str:
    """Why the node does not run this release without failures; "" if it does."""
    if seen is None:
        return "it does not answer"
    if seen.get("release") != name:
        return f"{seen.get('release') or 'another release'} is running"
    failed = [f"{key}: {seen[key]}" for key in ("faults", "failures", "invariants_broken") if seen.get(key)]
    return ", ".join(failed)
