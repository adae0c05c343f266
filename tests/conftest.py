"""What all tests need: programs of the administrator are found, and slow machines fail no test."""

import gc
import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# On Debian these folders are not in a user's PATH, but mke2fs, sshd and visudo are in them.
os.environ["PATH"] = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
)

# The hundreds of processes that tests start find the sources compiled, also where the environment of a
# container says that nothing compiled is to be kept: each would compile for a quarter of a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# As on a node, and before anything imports numpy: on a busy machine, threads that wait for each other make
# small products ten times as slow. Processes that tests start inherit it.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

# Property-based tests check what is right, not how fast a busy machine draws examples.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=24, help="kills of a process that writes the history")


@pytest.hookimpl(trylast=True)  # only what is not deselected
def pytest_collection_modifyitems(items):
    """Tests of several processes wait more than they compute, so they come first, and none at the end.

    pytest-xdist gives each of four workers a quarter of the list: two of them begin with the tests that wait,
    and the other two compute meanwhile.
    """
    waiting = [each for each in items if each.get_closest_marker("system")]
    computing = [each for each in items if not each.get_closest_marker("system")]
    half, part = len(computing) // 2, len(waiting) // 2
    items[:] = waiting[:part] + computing[:half] + waiting[part:] + computing[half:]


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Nothing of what is collected is garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish():
    """Garbage is collected in what a test makes, not in a million objects of the libraries each time."""
    gc.collect()
    gc.freeze()
