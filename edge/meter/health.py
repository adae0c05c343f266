"""How one device of a bus is doing: its counters, and how long it is left alone after a failure."""

import logging

from .errors import BusError

logger = logging.getLogger("edge.meter")

BACKOFF_STEP_S = 2.0
BACKOFF_MAX_S = 300.0


def backoff_s(failures: int) -> float:
    """How long to wait after the n-th failure in a row."""
    return min(BACKOFF_STEP_S * failures, BACKOFF_MAX_S)


class Health:
    """Counts what happens to a device; logs once when it starts to fail and once when it is well again."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.reads = 0
        self.good = 0
        self.failures = 0  # in a row
        self.errors: dict[str, int] = {}  # by kind: the classes of errors.py, and 255 exception codes at most
        self.retry_s = 0.0  # not to be asked before this moment

    def succeeded(self) -> None:
        """The device answered as it should."""
        self.reads += 1
        self.good += 1
        if self.failures:
            logger.info("%s answers again after %d failures", self.device, self.failures)
        self.failures = 0

    def failed(self, error: BusError, now_s: float) -> None:
        """The device did not; it is left alone for 2 s more with each failure, 300 s at most."""
        self.reads += 1
        self.failures += 1
        self.count(error.kind)
        self.rest_until(now_s + backoff_s(self.failures))
        if self.failures == 1:
            logger.warning("%s fails: %s (%s)", self.device, error.kind, error)

    def count(self, kind: str) -> None:
        """Note something wrong that is no failure of the whole device."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def rest_until(self, moment_s: float) -> None:
        """Leave the device alone until `moment_s`."""
        self.retry_s = max(self.retry_s, moment_s)

    def recover(self) -> None:
        """Forget the failures: the line is new, so what was wrong may be gone."""
        self.failures = 0
        self.retry_s = 0.0

    def stats(self, now_s: float) -> dict[str, object]:
        """The counters, for people; `retry_in_s` is 0 when the device may be asked."""
        return {
            "device": self.device,
            "reads": self.reads,
            "good": self.good,
            "errors": self.errors.copy(),
            "failures_in_a_row": self.failures,
            "retry_in_s": max(0.0, self.retry_s - now_s),
        }
