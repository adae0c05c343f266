"""Memory limits: they hold, usage is counted, they are removed; if there is none, that is reported."""

import mmap
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from host_tools.cgroup import DataLimit, Figures, LimitError, MemoryLimit, Probe, memory_limit
from host_tools.cgroup.group import V1, V2, group_v1, group_v2, read_usage

MB = 1 << 20
LIMIT_MB = 40
HOG = [sys.executable, "-c", f"b'x' * {(LIMIT_MB + 64) * MB}"]
HIDDEN_HOG = ["/bin/sh", "-c", f'{sys.executable} -c "{HOG[-1]}"; exit 0']


@pytest.fixture
def limit() -> Iterator[MemoryLimit]:
    """A hard limit of LIMIT_MB, whatever makes it here."""
    try:
        made = memory_limit(LIMIT_MB * MB)
    except LimitError as error:
        warnings.warn(f"no hard memory limit can be set here: {error}", stacklevel=1)
        pytest.skip("no hard memory limit can be set here")
    with made:
        yield made


def run_under(limit: MemoryLimit, command: list[str]) -> int:
    return subprocess.run([*limit.wrapper, *command], stderr=subprocess.DEVNULL, check=False).returncode


def groups_of(pid: int) -> list[Path]:
    walk = os.walk("/sys/fs/cgroup")  # which does not mind what vanishes meanwhile
    return [Path(directory) for directory, _, _ in walk if f"/memtest-{pid}-" in directory]


@pytest.mark.parametrize(("hog", "code"), [(HOG, -signal.SIGKILL), (HIDDEN_HOG, 0)], ids=["bare", "in sh"])
def test_a_hog_is_killed_and_counted_once(limit, hog, code):
    assert run_under(limit, hog) == code
    usage = limit.usage()
    assert usage.oom_kills == 1
    assert usage.peak_bytes <= LIMIT_MB * MB


def test_what_fits_is_charged_and_not_killed(limit):
    assert run_under(limit, [sys.executable, "-c", f"b'x' * {20 * MB}"]) == 0
    usage = limit.usage()
    assert usage.oom_kills == 0
    assert 20 * MB < usage.peak_bytes < LIMIT_MB * MB


def test_closing_kills_what_is_left_and_removes_the_group(limit):
    sleeper = subprocess.Popen([*limit.wrapper, "sleep", "60"])
    while sleeper.pid not in members(limit):
        time.sleep(0.01)
    limit.close()
    assert sleeper.wait(5) in (-signal.SIGKILL, -signal.SIGTERM)
    assert groups_of(os.getpid()) == []


def members(limit: MemoryLimit) -> list[int]:
    files = [group / "cgroup.procs" for group in groups_of(os.getpid())]
    return [int(pid) for file in files for pid in file.read_text().split()]


def test_the_group_goes_when_its_maker_is_killed(limit):
    maker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess; from host_tools.cgroup import memory_limit\n"
            f"limit = memory_limit({LIMIT_MB * MB})\n"
            "subprocess.run([*limit.wrapper, 'sh', '-c', 'echo up; exec sleep 60'])",
        ],
        stdout=subprocess.PIPE,
    )
    assert maker.stdout.readline() == b"up\n"
    assert groups_of(maker.pid)
    maker.kill()
    maker.communicate()  # the output ends with the sleeping child, which the janitor kills
    deadline_s = time.monotonic() + 5
    while groups_of(maker.pid) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert groups_of(maker.pid) == []


@pytest.mark.parametrize(
    ("backend", "mounted"),
    [(group_v1, "/ {} rw - cgroup cgroup rw,memory"), (group_v2, "/ {} rw - cgroup2 cgroup2 rw")],
)
def test_the_reason_is_reported_if_no_group_can_be_made(tmp_path, backend, mounted):
    mountinfo = tmp_path / "mountinfo"
    plain = tmp_path / "plain"  # can be written, but is no control group
    plain.mkdir()
    for point in (plain, Path("/proc")):
        mountinfo.write_text(f"30 24 0:26 {mounted.format(point)}\n")
        with pytest.raises(LimitError, match=str(point)):
            backend(LIMIT_MB * MB, mountinfo)
    mountinfo.write_text("30 24 0:26 / / rw - ext4 /dev/sda1 rw\n")
    with pytest.raises(LimitError, match="no memory controller"):
        backend(LIMIT_MB * MB, mountinfo)
    assert list(plain.iterdir()) == []


def test_all_reasons_are_reported():
    def refuse(word: str) -> MemoryLimit:
        raise LimitError(word)

    with pytest.raises(LimitError, match="first\nsecond"):
        memory_limit(MB, (lambda _: refuse("first"), lambda _: refuse("second")))


def test_the_weak_limit_refuses_memory():
    with DataLimit(LIMIT_MB * MB) as weak:
        assert run_under(weak, HOG) == 1
        assert run_under(weak, [sys.executable, "-c", "pass"]) == 0
        assert weak.usage() is None


def test_kernel_files_of_either_version_are_read(tmp_path):
    v1, v2 = tmp_path / "v1", tmp_path / "v2"
    for directory in (v1, v2):
        directory.mkdir()
    (v1 / "memory.max_usage_in_bytes").write_text("300\n")
    (v1 / "memory.stat").write_text("cache 1\nrss 200\nrss_huge 3\n")
    (v1 / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (v2 / "memory.current").write_text("250\n")
    (v2 / "memory.stat").write_text("anon 200\nfile 1\nanon_thp 3\n")
    (v2 / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 5\noom_kill 2\noom_group_kill 1\n")
    before_5_19 = read_usage(v2, V2)
    (v2 / "memory.peak").write_text("300\n")
    assert read_usage(v1, V1) == read_usage(v2, V2) == replace(before_5_19, peak_bytes=300)
    assert (before_5_19.peak_bytes, before_5_19.anon_bytes, before_5_19.oom_kills) == (250, 200, 2)
    with pytest.raises(LimitError, match=r"memory\.current"):
        read_usage(tmp_path, V2)


def test_a_process_is_measured_until_it_ends(tmp_path):
    library = tmp_path / "numpy" / "core.so"
    library.parent.mkdir()
    library.write_bytes(bytes(mmap.PAGESIZE))
    process = subprocess.Popen(
        [
            sys.executable,
            "-uc",
            f"b'x' * {20 * MB}; print('up'); input(); import mmap; file = open({str(library)!r}, 'r+b')\n"
            "library = mmap.mmap(file.fileno(), 0); print('loaded'); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    probe = Probe(DataLimit(LIMIT_MB * MB), LIMIT_MB, process.pid)
    assert process.stdout.readline() == b"up\n"
    probe.look_at_process()
    seen = probe.figures
    assert seen.hwm_mb > seen.rss_mb + 15 > seen.pss_mb + 15 > 15
    assert not seen.numpy_loaded
    process.stdin.write(b"\n")
    assert process.stdout.readline() == b"loaded\n"
    probe.look_at_process()
    assert probe.figures.numpy_loaded
    process.communicate(b"\n")
    last = probe.figures
    probe.look_at_process()
    probe.look_at_group()  # of which this limit knows nothing
    assert probe.figures == last
    assert (last.peak_mb, last.anon_mb, last.oom_kills) == (None, None, None)


@pytest.mark.parametrize(
    ("figures", "failure"),
    [
        (Figures("x", 40, peak_mb=40.0, hwm_mb=40.0, oom_kills=0), None),
        (Figures("x", 40, peak_mb=None, hwm_mb=40.0), None),
        (Figures("x", 40, peak_mb=17.0, hwm_mb=40.1, oom_kills=0), "40.1 MB used"),
        (Figures("x", 40, peak_mb=40.1, hwm_mb=30.0, oom_kills=0), "40.1 MB used"),
        (Figures("x", 40, peak_mb=40.0, hwm_mb=30.0, oom_kills=1), "OOM kills: 1"),
        (Figures("x", 40, peak_mb=17.0, oom_kills=0), "could not be measured"),
    ],
)
def test_the_larger_of_group_and_process_must_fit(figures, failure):
    failures = figures.failures()
    assert len(failures) == (failure is not None)
    assert all(failure in each for each in failures)
