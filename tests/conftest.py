"""What all tests need: programs of the administrator are found, and slow machines fail no test."""

import gc
import os

from hypothesis import HealthCheck, settings

# On Debian these folders are not in a user's PATH, but mke2fs, sshd and visudo are in them.
os.environ["PATH"] = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
)

# Property-based tests check what is right, not how fast a busy machine draws examples.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=24, help="kills of a process that writes the history")


def pytest_collection_finish():
    """Garbage is collected in what a test makes, not in a million objects of the libraries each time."""
    gc.collect()
    gc.freeze()
