"""What all tests need: programs of the administrator are found, and slow machines fail no test."""

import gc
import os
import sys

from hypothesis import HealthCheck, settings

# On Debian these folders are not in a user's PATH, but mke2fs, sshd and visudo are in them.
os.environ["PATH"] = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
)

# The hundreds of processes that tests start find the sources compiled, also where the environment of a
# container says that nothing compiled is to be kept: each would compile for a quarter of a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Property-based tests check what is right, not how fast a busy machine draws examples.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=24, help="kills of a process that writes the history")


def pytest_collection_modifyitems(items):
    """Tests of several processes wait more than they compute. They come first, so that one worker of
    pytest-xdist waits while the others compute, and none waits at the end."""
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


def pytest_collection_finish():
    """Garbage is collected in what a test makes, not in a million objects of the libraries each time."""
    gc.collect()
    gc.freeze()
