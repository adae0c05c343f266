"""Plays the runs of a study that have no result yet, with progress; Ctrl-C keeps what is done."""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ..arguments import whole
from ..progress import Watched
from .places import here, on_cluster
from .results import Damaged, Kept, Results
from .run import Content, Failure, Run

RUN, KEEP, REFUSE = "run", "keep", "refuse"
INTERRUPTED = 130  # exit code
_SHOWN = 10
_ADDRESS = re.compile(r"((tcp|tls|wss?)://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})")


def add_options(add: Callable[..., Any], jobs: int | None = None, other_code: str | None = RUN) -> None:
    """The options of every study; `add` is add_argument of a parser or group, the rest are defaults."""
    default = jobs or "all cores"
    add(
        "--jobs",
        type=whole(1),
        default=jobs or os.cpu_count() or 1,
        metavar="N",
        help=f"parallel processes of a study (default: {default})",
    )
    add(
        "--shard",
        default="1/1",
        metavar="I/N",
        help="of the runs only each N-th, from the I-th on, without a report (default: all)",
    )
    add(
        "--cluster",
        type=cluster,
        metavar="ADDRESS",
        help="play the runs on the workers of this Dask scheduler, such as tcp://10.0.0.5:8786",
    )
    add(
        "--other-code",
        choices=(RUN, KEEP, REFUSE),
        default=other_code,
        help="results that another version of the code made: run them again, keep or refuse them "
        f"(default: {other_code or f'{RUN}; with --gossip {KEEP}'})",
    )


def shard(text: str) -> tuple[int, int]:
    """ "2/8" as numbers. Raises ValueError."""
    at, _, of = text.partition("/")
    if not (at.isdecimal() and of.isdecimal() and 1 <= int(at) <= int(of)):
        raise ValueError(f"--shard {text!r}: expected I/N, with I from 1 to N")
    return int(at), int(of)


def cluster(text: str) -> str:
    """For `type=`: the address of a Dask scheduler."""
    found = _ADDRESS.fullmatch(text)
    if not found or not 1 <= int(found[4]) <= 65_535:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be HOST:PORT, or one with tcp://, tls://, ws:// or wss:// before it, such as "
            "tcp://10.0.0.5:8786"
        )
    return text


@dataclass
class Played:
    """The results by study and name of a run, those of earlier included; why others have none."""

    results: dict[tuple[str, str], Content] = field(default_factory=dict)
    failed: dict[tuple[str, str], Failure] = field(default_factory=dict)
    new: int = 0  # results that were made now
    interrupted: bool = False
    whole: bool = True  # not a shard, and every run has a result

    @property
    def code(self) -> int:
        """The exit code, as far as the runs do not decide it."""
        if self.interrupted:
            return INTERRUPTED
        if self.failed:
            return 2 if all(each.invalid for each in self.failed.values()) else 1
        return 0


class Study:
    """Runs, and the folder of their results.

    `what`: the name of several runs, such as "storms". `precious`: results with other arguments end the
    command; otherwise their runs are played again.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        folder: Path,
        options: argparse.Namespace,
        what: str = "runs",
        precious: bool = False,
    ) -> None:
        """Raises ValueError for a shard that cannot be."""
        at, of = shard(options.shard)
        self.runs = list(runs)[at - 1 :: of]
        if doubled := [name for name, count in Counter(run.key for run in runs).items() if count > 1]:
            raise ValueError(f"{'/'.join(doubled[0])}: two runs have this name")
        self.results = Results(folder)
        self._sharded, self._options, self._what, self._precious = of > 1, options, what, precious
        self._again: dict[str, int] = {}  # reasons for which results are not used

    def play(
        self,
        console: Console,
        each: Callable[[Run, Content], None] = lambda run, content: None,
        note: Callable[[], str] = lambda: "",
    ) -> Played:
        """Play what has no result. `each` is called for each result, those of earlier first; `note` tells
        what stands beside the progress. Raises ValueError for results or a place that cannot be used."""
        played = Played()
        left = []
        for run in self.runs:
            kept = self._kept(run)
            if kept is None:
                left.append(run)
            else:
                played.results[run.key] = kept.content
        self._begin(len(played.results))
        for run in self.runs:
            if run.key in played.results:
                each(run, played.results[run.key])
        if left:
            self._play(left, played, console, each, note)
        self._end(played)
        return played

    # ---- inside ---------------------------------------------------------------------------------

    def _play(
        self,
        left: list[Run],
        played: Played,
        console: Console,
        each: Callable[[Run, Content], None],
        note: Callable[[], str],
    ) -> None:
        watched = Watched(self._what, len(left), console)
        place = on_cluster(left, self._options.cluster) if self._options.cluster else None
        done = place or here(left, self._options.jobs)
        try:
            for run, found in watched.over(done):
                if isinstance(found, Failure):
                    played.failed[run.key] = found
                    continue
                self.results.write(run, found)
                played.results[run.key] = found
                played.new += 1
                each(run, found)
                watched.note = note()
        except KeyboardInterrupt:
            played.interrupted = True
        finally:
            done.close()

    def _kept(self, run: Run) -> Kept | None:
        """The result of earlier, if it can be used. Raises ValueError."""
        file = self.results.file(run)
        try:
            kept = self.results.read(run)
        except (Damaged, OSError):
            self._count("damaged")
            return None
        if kept is None:
            return None
        if kept.differs:
            if self._precious:
                raise ValueError(
                    f"{file}: made with {'; '.join(kept.differs)}. Choose another folder with --out"
                )
            self._count("of other arguments")
            return None
        if kept.other_code and self._options.other_code == REFUSE:
            made = kept.content.get("code") or "an unknown version"
            raise ValueError(f"{file}: made by the code {made}. Choose another folder with --out")
        if kept.other_code and self._options.other_code == RUN:
            self._count("of other code")
            return None
        if kept.other_code:
            self._count("kept")
        return kept

    def _count(self, reason: str) -> None:
        self._again[reason] = self._again.get(reason, 0) + 1

    def _begin(self, done: int) -> None:
        kept = self._again.pop("kept", 0)
        of = f", {kept} of these by other versions of the code" if kept else ""
        again = [f"{count} {reason}" for reason, count in self._again.items()]
        more = f"; run again: {', '.join(again)}" if again else ""
        print(f"{len(self.runs)} {self._what}, {done} of them done before{of}{more}", flush=True)

    def _end(self, played: Played) -> None:
        """Say what is missing, and how to go on."""
        count, folder = f"{len(played.results)} of {len(self.runs)} {self._what}", self.results.folder
        played.whole = not self._sharded and len(played.results) == len(self.runs)
        for key, failure in list(played.failed.items())[: 0 if played.interrupted else _SHOWN]:
            print(
                failure.text if failure.invalid else f"{'/'.join(key)} failed: {failure.text}",
                file=sys.stderr,
            )
        if played.interrupted:
            text = f"interrupted: {count} are done and kept in {folder}; the same command continues"
            print(text, file=sys.stderr)
        elif played.failed:
            print(f"{len(played.failed)} failed; {count} are kept in {folder}", file=sys.stderr)
        elif self._sharded:
            print(f"{count} of this shard are done, in {folder}; without --shard, it is reported")
