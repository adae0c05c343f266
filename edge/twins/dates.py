"""From when until when a twin requests and produces (thesis 4.1.1)."""

import math
from datetime import UTC, datetime

from ..clock import Date, Zone


class Dates:
    """The dates of begin and end of one twin, in the civil time of its node."""

    def __init__(self, begin: str, end: str, zone: Zone, date: Date) -> None:
        """Each as YYYY-MM-DDTHH:MM, empty: none. Raises ValueError for another text."""
        self._date = date
        self._begin_s = _unix_s(begin, zone) if begin else -math.inf
        self._end_s = _unix_s(end, zone) if end else math.inf
        self.always = not begin and not end

    def hold(self, wall_s: float) -> bool:
        """Whether it is between them. While the clock of the node is not set, it is not."""
        if self.always:
            return True
        return self._date.is_set and self._begin_s <= wall_s < self._end_s

    def begins_in_s(self, wall_s: float) -> float | None:
        """How long until the begin, if that is to come."""
        return self._begin_s - wall_s if self._date.is_set and self._begin_s > wall_s else None

    def ends_in_s(self, wall_s: float) -> float:
        """How long until the end; inf without one."""
        return self._end_s - wall_s

    @property
    def length_s(self) -> float:
        """From the begin to the end; inf without one of them."""
        return self._end_s - self._begin_s


def _unix_s(text: str, zone: Zone) -> float:
    civil = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60
    minute = zone.utc(civil)
    return 60.0 * (zone.utc(civil + 60) or civil if minute is None else minute)  # an hour that is skipped
