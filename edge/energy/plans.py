"""What a consumer will need: a run that begins later, within some time (thesis 4.1.1, 8.2.1)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """A run of `run_s` with `power_w` that begins from `begin_s` to `latest_s` (monotonic clock)."""

    power_w: float
    run_s: float
    begin_s: float
    latest_s: float
