"""What of a twin's contracts survives a restart, as plain data for the state file, and back (DESIGN 9).

Reading raises ValueError, KeyError or TypeError for what was never written here.
"""

from typing import Any

from .book import Book, Promise, State
from .consumer import Consumer
from .messages import Contract, Priority
from .parsing import parse_contract


def written_contracts(consumer: Consumer) -> list[str]:
    """The active contracts of a consumer, the main one first."""
    return [contract.encode().decode() for contract in consumer.active]


def read_contracts(data: Any) -> list[Contract]:
    """Contracts as `written_contracts` wrote them."""
    contracts = [parse_contract(each.encode()) for each in data]
    if len(contracts) > 2:
        raise ValueError("more than two contracts")
    return contracts


def written_promises(book: Book) -> list[list[Any]]:
    """The promises for valid contracts."""
    return [
        [each.consumer, each.key, each.power_w, each.max_w, int(each.priority)]
        for each in book
        if each.state is State.VALID
    ]


def read_promises(data: Any) -> list[Promise]:
    """Promises as `written_promises` wrote them, to be confirmed anew."""
    promises = []
    for consumer, key, power_w, max_w, priority in data:
        if not 0.0 < float(power_w) <= float(max_w) + 1e-9:
            raise ValueError("bad promise")
        promises.append(
            Promise(
                str(consumer),
                int(key),
                State.PENDING,
                float(power_w),
                float(max_w),
                0.0,
                Priority(priority),
                0,
            )
        )
    return promises
