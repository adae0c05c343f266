"""The health of one device on a bus: its counters, and the pause after a failure."""

import logging
import random

from .errors import BusError

logger = logging.getLogger("edge.meter")

BACKOFF_STEP_S = 2.0
BACKOFF_MAX_S = 300.0
JITTER_S = 0.5  # so that retries do not keep in step with the polls of others
LATE_S = 2.0  # no answer comes later than this; until then a slave that failed is not polled


def backoff_s(failures: int) -> float:
    """The pause after `failures` failures in a row."""
    return min(BACKOFF_STEP_S * failures, BACKOFF_MAX_S)


class Health:
    """Counts the reads and errors of a device; logs when it starts to fail and when it has recovered."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.reads = 0
        self.good = 0
        self.failures = 0  # in a row
        self.errors: dict[str, int] = {}  # by kind: the classes of errors.py and at most 255 exception codes
        self.retry_s = 0.0  # not polled before this time
        self._rng = random.Random(device)

    def succeeded(self) -> None:
        """Record a successful poll."""
        self.reads += 1
        self.good += 1
        if self.failures:
            logger.info("%s answers again after %d failures", self.device, self.failures)
        self.failures = 0

    def failed(self, error: BusError, now_s: float) -> None:
        """Record a failed poll. The pause grows by about 2 s with each failure in a row, up to 300 s."""
        self.reads += 1
        self.failures += 1
        self.count(error.kind)
        self.rest_until(now_s + backoff_s(self.failures) + self._rng.uniform(0.0, JITTER_S))
        if self.failures == 1:
            logger.warning("%s fails: %s (%s)", self.device, error.kind, error)

    def count(self, kind: str) -> None:
        """Count an error without recording a failed poll."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def missed(self, error: BusError, now_s: float) -> None:
        """Record that something less important than the power could not be read."""
        self.count(error.kind)
        self.rest_until(now_s + LATE_S)

    def rest_until(self, moment_s: float) -> None:
        """Do not poll the device before `moment_s`."""
        self.retry_s = max(self.retry_s, moment_s)

    def recover(self) -> None:
        """Forget the failures, because the port was opened again."""
        self.failures = 0
        self.retry_s = 0.0

    def retry_now(self) -> None:
        """Allow a poll at once, without forgetting the failures."""
        self.retry_s = 0.0

    def stats(self, now_s: float) -> dict[str, object]:
        """The counters for display; `retry_in_s` is 0 when the device may be polled."""
        return {
            "device": self.device,
            "reads": self.reads,
            "good": self.good,
            "errors": self.errors.copy(),
            "failures_in_a_row": self.failures,
            "retry_in_s": max(0.0, self.retry_s - now_s),
        }
