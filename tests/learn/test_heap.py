"""The memory of a node that learns: what is given back, and that everything still works."""

import subprocess
import sys

import pytest

_PROGRAM = """
from edge.learn import heap
heap.tune()
import json, sqlite3, ssl
import numpy as np
def files_kb():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssFile"))
before = files_kb()
heap.forget_code()
after = files_kb()
heap.trim()
a = np.arange(10_000.0).reshape(100, 100)
one = sqlite3.connect(":memory:").execute("select 1").fetchone()
print(np.linalg.solve(a @ a.T + np.eye(100), a[0]).shape, one)
print(ssl.create_default_context().verify_mode.name, json.loads("[1]"), after < 0.6 * before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_pages_of_libraries_are_given_back_and_come_again():
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "(100,) (1,)\nCERT_REQUIRED [1] True\n"


def test_a_mapping_that_was_written_to_is_kept(tmp_path, monkeypatch):
    from edge.learn import heap

    text = """7f0000000000-7f0000002000 r-xp 00000000 08:01 12 /lib/clean.so
Rss:                   8 kB
Anonymous:             0 kB
7f0000010000-7f0000012000 r--p 00002000 08:01 12 /lib/clean.so
Anonymous:             8 kB
7f0000020000-7f0000022000 rw-p 00004000 08:01 12 /lib/clean.so
Anonymous:             0 kB
7f0000030000-7f0000032000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000040000-7f0000042000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
"""
    (tmp_path / "smaps").write_text(text)
    monkeypatch.setattr(heap, "_SMAPS", tmp_path / "smaps")
    assert list(heap._clean()) == [(0x7F0000000000, 0x7F0000002000)]
