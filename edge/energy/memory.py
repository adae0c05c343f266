"""Saves a twin's contracts as plain data for the state file, and restores them after a restart.

Reading raises ValueError, KeyError or TypeError for invalid data.
"""

import math
from typing import Any

from .book import Book, Promise, State
from .consumer import Consumer
from .messages import Contract, Priority
from .parsing import parse_contract


def written_contracts(consumer: Consumer) -> list[str]:
    """The active contracts of a consumer, the main one first."""
    return [contract.encode().decode() for contract in consumer.active]


def read_contracts(data: Any) -> list[Contract]:
    """Restore the result of `written_contracts`."""
    contracts = [parse_contract(str.encode(each)) for each in data]
    if len(contracts) > 2:
        raise ValueError("more than two contracts")
    return contracts


def written_promises(book: Book) -> list[list[Any]]:
    """The promises for valid contracts, one row each."""
    return [
        [each.consumer, each.key, each.power_w, each.max_w, int(each.priority)]
        for each in book
        if each.state is State.VALID
    ]


def read_promises(data: Any) -> list[Promise]:
    """Restore the result of `written_promises`; the promises must be confirmed again."""
    promises = []
    for consumer, key, power_w, max_w, priority in data:
        if not 0.0 < float(power_w) <= float(max_w) + 1e-9 < math.inf:
            raise ValueError("invalid promise")
        if not isinstance(consumer, str) or type(key) is not int or not 0 <= key < 2**63:
            raise ValueError("invalid promise")
        powers_w = float(power_w), float(max_w)
        promises.append(Promise(consumer, key, State.PENDING, *powers_w, 0.0, Priority(priority), 0))
    return promises
