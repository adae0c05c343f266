"""Training waits for memory of the control group or of the machine, and for the CPU."""

import pytest

from edge.service.pressure import Pressure
from host_tools.world import VirtualClock

MB = 1 << 20


class Machine:
    """Files as a kernel would show them."""

    def __init__(self, root):
        self.root, self.clock = root, VirtualClock()
        self.write("proc/loadavg", "0.50 0.40 0.30 1/100 1234")
        self.write("proc/meminfo", "MemTotal: 900000 kB\nMemAvailable: 400000 kB")
        self.write("proc/self/cgroup", "0::/system.slice/edge.service")
        self.write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00")
        self.group("system.slice", limit="max", current=500 * MB, cache=100 * MB)
        self.group("system.slice/edge.service", limit=64 * MB, current=60 * MB, cache=30 * MB)
        self.pressure = Pressure(3.0, 16.0, self.clock, root)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    def group(self, name, limit, current, cache):
        self.write(f"sys/fs/cgroup/{name}/memory.max", str(limit))
        self.write(f"sys/fs/cgroup/{name}/memory.current", str(current))
        self.write(f"sys/fs/cgroup/{name}/memory.stat", f"anon 1\nfile {cache}")

    def reason(self):
        self.clock.advance_to(self.clock.now_s() + 2)
        return self.pressure.reason


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_an_idle_machine_gives_no_reason_to_wait(machine):
    assert machine.reason() == ""


@pytest.mark.parametrize(
    ("current_mb", "cache_mb", "waits"), [(60, 30, False), (60, 2, True), (64, 20, False)]
)
def test_page_cache_of_the_group_counts_as_free(machine, current_mb, cache_mb, waits):
    machine.group("system.slice/edge.service", 64 * MB, current_mb * MB, cache_mb * MB)
    assert ("MB of memory left" in machine.reason()) == waits


def test_the_groups_above_count_too(machine):
    machine.group("system.slice", limit=600 * MB, current=595 * MB, cache=1 * MB)
    assert machine.reason() == "6 MB of memory left"


def test_version_1_of_control_groups(machine):
    machine.write("proc/self/cgroup", "9:name=systemd:/\n4:memory:/edge\n0::/")
    for name, value in (("limit_in_bytes", 64 * MB), ("usage_in_bytes", 62 * MB)):
        machine.write(f"sys/fs/cgroup/memory/edge/memory.{name}", str(value))
    machine.write("sys/fs/cgroup/memory/edge/memory.stat", f"cache 0\ntotal_cache {4 * MB}")
    assert machine.reason() == "6 MB of memory left"


def test_a_machine_that_is_full_or_stalled_or_busy(machine):
    machine.write("proc/loadavg", "500.0 1 1 1/1 1")
    assert "per core" in machine.reason()
    machine.write("proc/pressure/memory", "some avg10=35.00 avg60=0.00")
    assert machine.reason() == "waiting for memory 35 % of the time"
    machine.write("proc/meminfo", "MemAvailable: 9216 kB")
    assert machine.reason() == "9 MB of memory left"


def test_it_checks_every_two_seconds_only(machine):
    assert machine.reason() == ""
    machine.write("proc/loadavg", "500.0 1 1 1/1 1")
    assert machine.pressure.reason == ""
    assert "per core" in machine.reason()


def test_a_kernel_without_these_files_is_no_reason_to_wait(tmp_path):
    assert Pressure(3.0, 16.0, VirtualClock(), tmp_path).reason == ""


def test_this_machine_can_be_read():
    assert Pressure(1e9, 0.0, VirtualClock()).reason in ("",)
    assert "MB of memory left" in Pressure(1e9, 1e9, VirtualClock()).reason
