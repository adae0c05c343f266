"""The file of the grid operator, whose meters settle, beside our own division.

The file has `timestamp,member,received_wh`, as `shares.csv` of our own; further columns are not read.
"""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

from edge.csv_file import Column, CsvError, Rules, read, time_text
from host_tools.measured import complain

from .settlement import Settlement


@dataclass(slots=True)
class Difference:
    """What the operator says of one member, beside what we say."""

    ours_wh: float = 0.0
    theirs_wh: float = 0.0
    compared: int = 0  # steps that both have
    only_ours: int = 0
    only_theirs: int = 0
    apart: list[tuple[int, float, float]] = field(
        default_factory=list
    )  # begin, ours, theirs, where they differ

    @property
    def difference_wh(self) -> float:
        """Theirs less ours, in the steps that both have."""
        return self.theirs_wh - self.ours_wh


def read_operator(path: Path) -> dict[tuple[int, str], float]:
    """What was received, in Wh, by begin and member. Raises CsvError."""
    rules = Rules(columns=(Column("received_wh", 0.0, 1e9),), keys=("member",), sort=True, tell=complain)
    found = {}
    for row in read(path, rules):
        if not row.key[0]:
            raise CsvError(f"{path}, line {row.line}: the member has no name")
        if not math.isnan(row.values[0]):
            found[row.time_s, row.key[0]] = row.values[0]
    return found


def differences(
    settlement: Settlement, theirs: dict[tuple[int, str], float], tolerance_wh: float = 1.0
) -> dict[str, Difference]:
    """By member; steps that differ by more than the tolerance are listed, the largest first."""
    found: dict[str, Difference] = {}
    seen = set()
    for begin_s, _, shares in settlement.steps:
        for member, each in shares.items():
            difference = found.setdefault(member, Difference())
            key = int(begin_s), member
            seen.add(key)
            if key not in theirs:
                difference.only_ours += 1
                continue
            difference.compared += 1
            difference.ours_wh += each.received_wh
            difference.theirs_wh += theirs[key]
            if abs(theirs[key] - each.received_wh) > tolerance_wh:
                difference.apart.append((key[0], each.received_wh, theirs[key]))
    for key in theirs.keys() - seen:
        found.setdefault(key[1], Difference()).only_theirs += 1
    for difference in found.values():
        difference.apart.sort(key=lambda row: -abs(row[2] - row[1]))
    return found


def write_differences(path: Path, found: dict[str, Difference]) -> None:
    """All steps that differ."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["timestamp", "member", "ours_wh", "theirs_wh", "difference_wh"])
        for member, difference in sorted(found.items()):
            for begin_s, ours_wh, theirs_wh in difference.apart:
                writer.writerow([time_text(begin_s), member, ours_wh, theirs_wh, theirs_wh - ours_wh])
