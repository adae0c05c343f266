"""Saves a twin's contracts as plain data for the state file, and restores them after a restart.

Reading raises ValueError, KeyError or TypeError for invalid data.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .book import Book, Promise, State, node_of
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


def is_near(old: Any, new: Any, node: str) -> bool:
    """Whether a restart of a node may continue the old result of `written_market` in place of the new one:
    since then no consumer has got more, and no other node was promised more, beyond the margin of the whole.

    What has ended or shrunk is near, and so is a contract within the node that has other suppliers there: the
    old ones are restored with it, and the first readings correct them. Not so a contract with suppliers of
    other nodes: they would refuse what they no longer promise.
    """
    try:
        rest = [{key: each for key, each in data.items() if key not in _MARKET} for data in (old, new)]
        return (
            rest[0] == rest[1] and _are_contracts_near(old, new, node) and _are_promises_near(old, new, node)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return bool(old == new)


def _are_contracts_near(old: Any, new: Any, node: str) -> bool:
    before, after = ({each.id: each for each in read_contracts(data["contracts"])} for data in (old, new))
    within = {key for key, each in before.items() if _is_within(each, node)}
    if not before.keys() - within <= after.keys() <= before.keys():
        return False
    if not all(_is_contract_near(before[key], each, key in within, node) for key, each in after.items()):
        return False
    powers_w, most_w = zip(
        *(_sums_w(contracts[key] for key in within & contracts.keys()) for contracts in (before, after)),
        strict=True,
    )
    return not (_has_grown(*powers_w) or _has_grown(*most_w))


def _is_within(contract: Contract, node: str) -> bool:
    return all(node_of(part.supplier) == node for part in contract.parts)


def _is_contract_near(old: Contract, new: Contract, within: bool, node: str) -> bool:
    """Its power apart, if it is `within` the node."""
    terms = replace(new, revision=old.revision, parts=old.parts)
    if terms != old or not 0 <= new.revision - old.revision <= _RESTATED_FEW:
        return False
    if within:
        return _is_within(new, node)
    names = [[part.supplier for part in each.parts] for each in (old, new)]
    tables = [[part.prices for part in each.parts] for each in (old, new)]
    return (
        names[0] == names[1]
        and tables[0] == tables[1]
        and _are_close([part.power_w for part in old.parts], [part.power_w for part in new.parts])
        and _are_close([part.max_w for part in old.parts], [part.max_w for part in new.parts])
    )


def _sums_w(contracts: Iterable[Contract]) -> tuple[float, float]:
    """Power, and power with the margin."""
    parts = [part for each in contracts for part in each.parts]
    return sum(part.power_w for part in parts), sum(part.max_w for part in parts)


def _are_promises_near(old: Any, new: Any, node: str) -> bool:
    """Those to consumers of other nodes; the others are in the contracts."""
    before, after = (
        {
            (consumer, key, priority): (power_w, max_w)
            for consumer, key, power_w, max_w, priority in data["promises"]
            if node_of(consumer) != node
        }
        for data in (old, new)
    )
    if not after.keys() <= before.keys():
        return False
    grown_w = [sum(max(0.0, after[key][place] - before[key][place]) for key in after) for place in (0, 1)]
    return all(
        grown <= MARGIN * sum(row[place] for row in before.values()) for place, grown in enumerate(grown_w)
    )


def _has_grown(old_w: float, new_w: float) -> bool:
    return new_w > (1 + MARGIN) * old_w


def _are_close(old_w: list[float], new_w: list[float]) -> bool:
    """Whether none differs by more than the margin of the sum, nor the sum itself."""
    most_w = MARGIN * abs(sum(old_w))
    changes_w = [new - old for old, new in zip(old_w, new_w, strict=True)]
    return all(abs(each) <= most_w for each in (*changes_w, sum(changes_w)))
