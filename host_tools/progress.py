"""How far a long command is: a bar on a terminal, a line now and then in a file or a pipe."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SAY_EVERY_S = 10.0
SAY_SECONDS_EVERY_S = 30.0  # of one run, which is mostly short

T = TypeVar("T")


class Watched:
    """The progress of a known number of steps."""

    def __init__(self, what: str, total: int, console: Console) -> None:
        self.note = ""  # shown beside the count
        self.console = console
        self._what = what
        self._total = total

    def over(self, steps: Iterable[T]) -> Iterator[T]:
        """The same steps, watched. The count includes those whose handling is complete."""
        return self._bar(steps) if self.console.is_terminal else self._lines(steps)

    def _bar(self, steps: Iterable[T]) -> Iterator[T]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(self._what, total=self._total, note="")
            for step in steps:
                yield step
                progress.update(task, advance=1, note=self.note)

    def _lines(self, steps: Iterable[T]) -> Iterator[T]:
        began_s = said_s = time.monotonic()
        for count, step in enumerate(steps, 1):
            yield step
            now_s = time.monotonic()
            if now_s - said_s >= SAY_EVERY_S:
                said_s = now_s
                note = f", {self.note}" if self.note else ""
                print(f"{count} of {self._total} {self._what}{note}, {now_s - began_s:.0f} s", flush=True)


def bar(console: Console) -> Progress:
    """A progress bar, shown only on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def seconds_of(what: str, total_s: float, console: Console) -> Iterator[Callable[[float], None]]:
    """A function that is told how many seconds of a run have been played."""
    began_s = said_s = time.monotonic()
    with bar(console) as progress:
        task = progress.add_task(what, total=total_s)

        def reached(second: float) -> None:
            nonlocal said_s
            progress.update(task, completed=second)
            now_s = time.monotonic()
            if not console.is_terminal and now_s - said_s >= SAY_SECONDS_EVERY_S:
                said_s = now_s
                print(f"{second:.0f} of {total_s:.0f} s of {what}, {now_s - began_s:.0f} s", flush=True)

        yield reached
