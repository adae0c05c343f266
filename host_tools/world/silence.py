"""Nodes whose faults are intended say nothing in the log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence() -> Iterator[None]:
    """Suppress the log messages of nodes in this process."""
    logger = logging.getLogger("edge")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
