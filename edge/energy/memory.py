"""Saves a twin's contracts as plain data for the state file, and restores them after a restart.

Reading raises ValueError, KeyError or TypeError for invalid data.
"""

import math
from dataclasses import replace
from itertools import starmap
from typing import Any

from .book import Book, Promise, State
from .consumer import Consumer
from .messages import Contract, Priority
from .parsing import parse_contract
from .rules import MARGIN, RESTATED_MAX
from .supplier import Supplier

_MARKET = ("need_w", "capacity_w", "contracts", "promises")
_RESTATED_FEW = RESTATED_MAX // 4  # while a restart jumps ahead by more


def written_market(consumer: Consumer, supplier: Supplier) -> dict[str, Any]:
    """The valid contracts of both sides of a prosumer, and the powers that they rest on."""
    contracts, promises = written_contracts(consumer), written_promises(supplier.book)
    return {
        "need_w": consumer.need_w if contracts else 0.0,
        "capacity_w": supplier.capacity_w if promises else 0.0,
        "contracts": contracts,
        "promises": promises,
    }


def recall_market(
    data: dict[str, Any], consumer: Consumer | None, supplier: Supplier | None, now_s: float
) -> None:
    """Continue the result of `written_market`, on the sides that are there."""
    contracts, promises = read_contracts(data["contracts"]), read_promises(data["promises"])
    need_w, capacity_w = float(data["need_w"]), float(data["capacity_w"])
    if not (math.isfinite(need_w) and math.isfinite(capacity_w)):
        raise ValueError("powers must be finite")
    if contracts and consumer:
        consumer.set_need(need_w)
        consumer.restore(contracts[0], contracts[1] if len(contracts) > 1 else None, now_s)
    if supplier:
        supplier.set_capacity(capacity_w)
        supplier.restore(promises, now_s)


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
        if each.state is State.VALID and not each.later
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


def is_near(old: Any, new: Any) -> bool:
    """Whether a restart may continue the old result of `written_market` in place of the new one: the same
    contracts and promises, with powers that differ by no more than the margin of the whole: of a contract,
    and of all that a supplier has promised.

    The first reading after a restart corrects them. Everything else must be the same.
    """
    try:
        rest = [{key: each for key, each in data.items() if key not in _MARKET} for data in (old, new)]
        contracts = [read_contracts(data["contracts"]) for data in (old, new)]
        alike = zip(*contracts, strict=True)
        return (
            rest[0] == rest[1]
            and all(_are_close([old[name]], [new[name]]) for name in ("need_w", "capacity_w"))
            and all(starmap(_is_contract_near, alike))
            and _are_promises_near(old["promises"], new["promises"])
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return bool(old == new)


def _is_contract_near(old: Contract, new: Contract) -> bool:
    terms = replace(new, revision=old.revision, parts=old.parts)
    restated = new.revision - old.revision
    names = [[part.supplier for part in each.parts] for each in (old, new)]
    tables = [[part.prices for part in each.parts] for each in (old, new)]
    same = terms == old and names[0] == names[1] and tables[0] == tables[1]
    return (
        same
        and 0 <= restated <= _RESTATED_FEW
        and _are_close([part.power_w for part in old.parts], [part.power_w for part in new.parts])
        and _are_close([part.max_w for part in old.parts], [part.max_w for part in new.parts])
    )


def _are_promises_near(old: list[list[Any]], new: list[list[Any]]) -> bool:
    terms, powers_w, most_w = zip(_promised(old), _promised(new), strict=True)
    return terms[0] == terms[1] and _are_close(*powers_w) and _are_close(*most_w)


def _promised(rows: list[list[Any]]) -> tuple[list[Any], list[float], list[float]]:
    """To whom, by which contract and how urgently; powers; powers with the margin."""
    terms = [(consumer, key, priority) for consumer, key, _, _, priority in rows]
    return terms, [power_w for _, _, power_w, _, _ in rows], [max_w for _, _, _, max_w, _ in rows]


def _are_close(old_w: list[float], new_w: list[float]) -> bool:
    """Whether none differs by more than the margin of the sum, nor the sum itself."""
    most_w = MARGIN * abs(sum(old_w))
    changes_w = [new - old for old, new in zip(old_w, new_w, strict=True)]
    return all(abs(each) <= most_w for each in (*changes_w, sum(changes_w)))
