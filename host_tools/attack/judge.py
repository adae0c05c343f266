"""What an attack may cost at most, compared with a quiet run."""

from .cases import ByDoor, Case
from .measure import Figures
from .site import LIMIT_MB

MOST_LOST = 0.02  # of the energy that an honest node is served in a quiet run
MOST_UNSERVED = 0.2  # of a quiet run, in which a node may start again
MOST_MORE_MB = 4.0  # of a node that does not learn
MOST_CPU = 0.5  # of a core
MOST_HTTP_MS = 500.0
LEAST_ANSWERED = 0.8  # of the requests for /health
LEAST_TICKS = 0.9  # of the seconds
MOST_SENT_PER_BYTE = 3.0
SPARE_KB_S = 2.0  # that traffic may differ anyway
MOST_IN_AFTER_S = 10.0


def lost(quiet: Figures, found: Figures) -> tuple[str, float]:
    """The honest node that loses most, and the share of its served energy that it loses."""
    if not found.unserved:
        return "", 0.0
    shares = {
        name: max(0.0, (unserved - quiet.unserved[name]) / max(0.01, 1.0 - quiet.unserved[name]))
        for name, unserved in found.unserved.items()
    }
    worst = max(shares, key=lambda name: shares[name])
    return worst, shares[worst]


def not_quiet(quiet: Figures) -> list[str]:
    """Why a quiet run cannot be compared with."""
    wrong = list(quiet.broken)
    for name, share in quiet.unserved.items():
        if share > MOST_UNSERVED:
            wrong.append(f"{name} is not served {100 * share:.0f} % of what it needs")
    return wrong


def failures(case: Case, quiet: Figures, found: Figures) -> list[str]:
    """Which limits are passed."""
    if isinstance(case.lie, ByDoor):
        after_s = found.in_after_s or 0.0
        return [f"a member is not in after {MOST_IN_AFTER_S:g} s"] if after_s > MOST_IN_AFTER_S else []
    failed = list(found.broken)
    node, share = lost(quiet, found)
    if share > MOST_LOST:
        failed.append(f"{node} loses {100 * share:.1f} % of its energy, at most {100 * MOST_LOST:g} %")
    most_mb = LIMIT_MB if case.learning else quiet.peak_mb + MOST_MORE_MB
    if found.peak_mb > most_mb:
        failed.append(f"{found.peak_mb:.1f} MB, at most {most_mb:.1f} MB")
    if found.cpu > quiet.cpu + MOST_CPU:
        failed.append(f"CPU {100 * found.cpu:.0f} %, at most {100 * (quiet.cpu + MOST_CPU):.0f} %")
    if found.http_ms > quiet.http_ms + MOST_HTTP_MS:
        failed.append(f"HTTP median {found.http_ms:.0f} ms, at most {quiet.http_ms + MOST_HTTP_MS:.0f} ms")
    if found.answered < LEAST_ANSWERED * quiet.answered:
        failed.append(f"{100 * found.answered:.0f} % of the requests for /health answered")
    if found.ticks < LEAST_TICKS * quiet.ticks:
        failed.append(f"{100 * found.ticks:.0f} % of the seconds had a tick")
    received = max(0.0, found.received_kb_s - quiet.received_kb_s)
    most_kb_s = quiet.sent_kb_s + SPARE_KB_S + MOST_SENT_PER_BYTE * received
    if found.sent_kb_s > most_kb_s:
        failed.append(f"sends {found.sent_kb_s:.1f} kB/s, at most {most_kb_s:.1f} kB/s")
    if case.seen and not set(found.said) - set(quiet.said):
        failed.append("no honest node names it in /health")
    return failed
