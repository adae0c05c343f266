"""A process that writes a history as fast as it can, until it is killed; started by test_kills.py.

Arguments: the file, and 1 if the disk is full or fails from time to time, else 0. It prints the number of
each batch that was written; a batch that failed waits and is written with the next ones.
"""

import resource
import signal
import sys
from pathlib import Path

from edge.clock import SystemClock
from edge.history.deals import Deal
from edge.history.retention import Keep
from edge.history.store import Store

FIRST = 28_000_000
MORE_BYTES = 120_000


def note(store, batch):
    """Rows of every kind, all of which say the number of the batch."""
    minute, at_s = FIRST + batch, 60.0 * (FIRST + batch)
    for scope in ("node", "cluster"):
        store.note_minute(scope, minute, [float(batch)] * 6)
    store.note_event(at_s, "n1.lamp", batch, "update", "contract", batch, contract=7, revision=batch)
    store.note_deal(at_s, (Deal("n1.lamp", "n1.roof", 7, 0, batch, float(batch), float(batch)),))
    if batch % 15 == 0:
        store.note_energy(minute, "n1.lamp", "", float(batch), 0.0, 900.0)
        store.note_record(minute, "m1", {"voltage_v": 230.0, "l1.current_a": 1.0})
    store.keep("node/learnt", b"%d" % batch * 3000)


def main(path, failing):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes fail, and the process goes on
    store = Store(Path(path), SystemClock(), Keep(minutes_days=1, predictions_days=1, quarters_days=1))
    last = store.last_minute("node", 2**40)
    store.note_session(60.0 * FIRST, 60.0 * FIRST, False, "", "{}")
    for batch in range(0 if last is None else last - FIRST + 1, 10**6):
        if failing and batch % 10 == 5:  # no write succeeds for a while
            largest = max(each.stat().st_size for each in Path(path).parent.iterdir())
            limit = largest // 2 if batch % 20 == 5 else largest + MORE_BYTES  # or only the first do
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        elif failing and batch % 10 == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        note(store, batch)
        sys.stdout.write(f"{batch}\n" if store.write() else f"failed {batch}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
