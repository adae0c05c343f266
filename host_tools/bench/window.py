"""How fast a node answers people: at 50 requests a second, and about a year of its history.

The first is a real process with 100 twins, asked over HTTP; the second is the view itself, over a file with a
year of quarter-hours of 20 twins, and counts the bytes of its answer.
"""

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from edge.api.access import Access, Caller
from edge.api.dispatch import Api, Asked
from edge.history.steps import make_whole_hours
from edge.history.store import Store

from ..world import World
from .sheet import Part, Sheet

MOST_REACTION_MS = 100.0
MOST_NODE_MS, MOST_YEAR_MS, MOST_YEAR_BYTES = 5.0, 300.0, 2_000_000
_TWINS, _REQUESTS_A_S = 100, 50.0
_CHANGE_S = 0.5
_SETTLED_S = 20.0  # until the node has forgotten the reactions of its start
_GRIDS = 2  # each supplies at most 64 others
_YEAR_MIN, _YEAR_TWINS = 365 * 1440, 20
_YEAR = {
    "series of a year, by hours": "/series?step=60&from={year}&to={now}",
    "series of 100 days, by quarter-hours": "/series?step=15&from={days100}&to={now}",
    "energy of a twin, a month of quarter-hours": "/energy?twin=school.load_3&from={month}&to={now}",
    "energy of all twins, a day": "/energy?from={day}&to={now}",
}


def node_ms(seconds: float = 20.0) -> dict[str, float]:
    """Times of `/api/v1/node` in ms, and the latest reactions meanwhile and before, as the node knows them:
    of the last 10 to 20 s. A load changes twice a second. `reactions`: how many there were meanwhile."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _Process(Path(folder)) as (process, port),
        _changing(port, Path(folder)),
    ):
        time.sleep(_SETTLED_S)
        before = _health(port)
        taken, due_s = [], time.perf_counter()
        cpu_s = _cpu_s(process.pid)
        for _ in range(round(seconds * _REQUESTS_A_S)):
            due_s += 1 / _REQUESTS_A_S
            time.sleep(max(0.0, due_s - time.perf_counter()))
            began_s = time.perf_counter()
            _get(port, "/api/v1/node")
            taken.append(1000 * (time.perf_counter() - began_s))
        cpu_s, after = _cpu_s(process.pid) - cpu_s, _health(port)
        return {
            "median_ms": round(median(taken), 2),
            "p95_ms": round(quantiles(taken, n=20)[-1], 2),
            "longest_ms": round(max(taken), 2),
            "cpu_ms": round(1000 * cpu_s / len(taken), 2),
            "longest_reaction_ms": after["longest_reaction_ms"],
            "longest_reaction_before_ms": before["longest_reaction_ms"],
            "reactions": after["reactions"] - before["reactions"],
        }


@contextmanager
def _changing(port: int, folder: Path) -> Iterator[None]:
    """Change the power of a load, over HTTP, twice a second."""
    lines = (folder / "state" / "api.tokens").read_text().splitlines()
    token = dict(line.split() for line in lines)["operate"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    done = threading.Event()

    def change() -> None:
        power_w = 10
        while not done.wait(_CHANGE_S):
            power_w = 210 - power_w
            body = json.dumps({"power_w": power_w})
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.request("PATCH", "/api/v1/twins/load_0", body, headers)
                answer = connection.getresponse()
                if answer.status != 200:
                    raise RuntimeError(f"the load cannot be changed: {answer.read()!r}")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _health(port: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_get(port, "/api/v1/health"))
    return found


class _Process:
    """A node that runs, and its port."""

    def __init__(self, folder: Path) -> None:
        grids = "".join(
            f'[[twin]]\nname = "grid_{n}"\nkind = "grid"\ncapacity_w = 30000\n' for n in range(_GRIDS)
        )
        loads = "".join(
            f'[[twin]]\nname = "load_{n}"\nkind = "load"\npower_w = {10 + n}\n'
            for n in range(_TWINS - _GRIDS)
        )
        file = folder / "node.toml"
        self._log = folder / "log"
        self._port = _free_port()
        file.write_text(
            f'[node]\nname = "school"\nstate_dir = "{folder / "state"}"\n[api]\nport = {self._port}\n'
            f"[mqtt]\nport = 9\n{grids}{loads}"
        )
        self._file = file

    def __enter__(self) -> "tuple[subprocess.Popen[bytes], int]":
        command = [sys.executable, "-m", "edge", "run", "--config", str(self._file)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stderr=log, stdout=log, env=dict(os.environ))
        until_s = time.monotonic() + 120
        while not self._is_served():
            if time.monotonic() > until_s or self._process.poll() is not None:
                self._process.kill()
                raise RuntimeError(f"the node does not answer: {self._log.read_text()[-500:]}")
            time.sleep(0.2)
        return self._process, self._port

    def _is_served(self) -> bool:
        """Whether nearly all of its loads have a contract."""
        try:
            twins = json.loads(_get(self._port, "/api/v1/twins"))
            if not isinstance(twins, list):  # it is too busy to answer
                return False
            served: int = sum(each["consumed_w"] > 0 for each in twins)
            return served > 0.9 * (_TWINS - _GRIDS)
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- a year of history ---------------------------------------------------------------------------


def year() -> dict[str, dict[str, float]]:
    """CPU time in ms and bytes of each question about a year."""
    world = World(seed=1)
    try:
        world.add("school", [], [{"name": "roof", "kind": "pv", "power_w": 900.0}])
        world.boot()
        world.run(61)
        node = world.nodes["school"].node
        node.history.write()
        now = int(node.wall_s() // 60)
        _fill(node.history, now)
        service: Any = _Asked(node)
        api = Api(service, access=Access())
        times = {"now": now, "day": now - 1440, "month": now - 31 * 1440}
        times |= {"days100": now - 100 * 1440, "year": now - _YEAR_MIN}
        words = {key: node.zone.text(minute).replace("+", "%2B") for key, minute in times.items()}
        return {name: _asked(api, path.format(**words)) for name, path in _YEAR.items()}
    finally:
        world.close()


class _Asked:
    """A service that answers at once."""

    def __init__(self, node: Any) -> None:
        self.node = node

    def ask(self, question: Any) -> Any:
        return question(self.node)


def _asked(api: Any, path: str) -> dict[str, float]:
    taken, size = [], 0
    for _ in range(5):
        began_s = time.thread_time()
        answer = api.answer("GET", f"/api/v1{path}", Asked(Caller()))
        size = sum(map(len, answer.pieces()))
        taken.append(1000 * (time.thread_time() - began_s))
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.content}")
    return {"ms": round(median(taken), 1), "bytes": size}


def _fill(history: Store, now: int) -> None:
    """Quarter-hours of a year: of the node, and of each twin with its device and one partner."""
    history.disconnect()
    first = (now - _YEAR_MIN) // 15 * 15
    with closing(sqlite3.connect(history.path)) as file, file:
        names = ["school.grid", *(f"school.load_{number}" for number in range(1, _YEAR_TWINS))]
        file.executemany("INSERT OR IGNORE INTO names (name) VALUES (?)", [(each,) for each in names])
        ids = [file.execute("SELECT id FROM names WHERE name = ?", (each,)).fetchone()[0] for each in names]
        places = ", ".join("?" * 22)
        file.executemany(f"INSERT OR IGNORE INTO steps VALUES ({places})", _steps(first, now))
        make_whole_hours(file, first - first % 60, now - now % 60)
        rows = _energies(first, now, ids)
        file.executemany("INSERT OR IGNORE INTO energies VALUES (15, ?, ?, ?, ?, ?, 900)", rows)


def _steps(first: int, now: int) -> Iterator[tuple[Any, ...]]:
    for minute in range(first, now - 30, 15):
        powers = [value for n in range(6) for value in (500.5 + n + minute % 97, 400.0 + n, 700.25 + n)]
        yield (15, minute, "node", 15, *powers)


def _energies(first: int, now: int, ids: list[int]) -> Iterator[tuple[int, ...]]:
    for minute in range(first, now - 30, 15):
        for each in ids[1:]:
            yield minute, each, 0, 100_000 + minute % 997, 0
            yield minute, each, ids[0], 100_000 + minute % 997, 0


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    yield Sheet(
        f"/api/v1/node with {_TWINS} twins at {_REQUESTS_A_S:g} requests a second (median at most "
        f"{MOST_NODE_MS:g} ms, no reaction later than {MOST_REACTION_MS:g} ms)",
        ("figure", "value"),
        [(name, str(value)) for name, value in found["node"].items()],
    )
    yield Sheet(
        f"a year of quarter-hours of {_YEAR_TWINS} twins (at most {MOST_YEAR_MS:g} ms and "
        f"{MOST_YEAR_BYTES / 1e6:g} MB)",
        ("question", "ms", "kB"),
        [(name, f"{row['ms']:.0f}", f"{row['bytes'] / 1000:.0f}") for name, row in found["year"].items()],
    )


PART = Part("window", lambda folder: {"node": node_ms(), "year": year()}, _sheets)
