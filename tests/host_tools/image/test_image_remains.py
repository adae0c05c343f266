"""A card after a power cut: an intact state and history, or an error that describes the damage."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.history.store import Store
from edge.state import StateFile
from host_tools.image.disk import MIB, CardLayout, make_ext4
from host_tools.image.remains import remains
from host_tools.setup.debs import SetupError, run
from host_tools.world import VirtualClock

POWERS_W = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder as a node that was cut off leaves it: the newest minute is still in the log."""
    folder = tmp_path / "data/edge/state"
    folder.mkdir(parents=True)
    clock = VirtualClock()
    file = StateFile(folder, clock)
    file.save({"incarnation": 1})
    file.save({"incarnation": 2})
    store = Store(tmp_path / "running/history.sqlite", clock)
    for minute in (7, 8, 9):
        store.note_minute("node", minute, POWERS_W)
        assert store.write()
    for name in ("history.sqlite", "history.sqlite-wal"):
        (folder / name).write_bytes((tmp_path / "running" / name).read_bytes())
    store.close()
    return folder


def card_of(folder: Path) -> Path:
    """A card with that data partition and nothing else."""
    part, card = folder / "part.ext4", folder / "sd.img"
    data = CardLayout().data
    make_ext4(folder / "data", data, part, journal=True)
    run(["dd", f"if={part}", f"of={card}", "bs=1M", f"seek={data.start_mib}", "conv=sparse"])
    part.unlink()
    assert card.stat().st_size <= CardLayout().total_mib * MIB
    return card


def test_memory_and_minutes_are_read_off_a_card(tmp_path: Path, state: Path) -> None:
    found = remains(card_of(tmp_path), tmp_path)
    assert found.memory == {"incarnation": 2}
    assert found.minutes == {7, 8, 9}


def test_the_state_before_counts_where_the_newest_is_spoilt(tmp_path: Path, state: Path) -> None:
    (state / "state.a").write_bytes((state / "state.a").read_bytes()[:20])
    assert remains(card_of(tmp_path), tmp_path).memory == {"incarnation": 1}


def test_a_card_without_a_state_is_unsound(tmp_path: Path, state: Path) -> None:
    for slot in state.glob("state.*"):
        slot.write_bytes(b"")
    with pytest.raises(SetupError, match="no valid state on the card"):
        remains(card_of(tmp_path), tmp_path)


def test_a_history_whose_pages_are_torn_is_unsound(tmp_path: Path, state: Path) -> None:
    for name in ("history.sqlite", "history.sqlite-wal"):
        file = state / name
        file.write_bytes(b"\xff" * file.stat().st_size)
    with pytest.raises(SetupError, match="the history"):
        remains(card_of(tmp_path), tmp_path)


def test_a_history_that_was_only_begun_has_no_minutes(tmp_path: Path, state: Path) -> None:
    for name in ("history.sqlite", "history.sqlite-wal"):
        (state / name).unlink()
    with closing(sqlite3.connect(state / "history.sqlite")) as begun:
        begun.execute("PRAGMA journal_mode = WAL")
    assert remains(card_of(tmp_path), tmp_path).minutes == frozenset()
