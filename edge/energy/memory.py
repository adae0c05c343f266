"""Saves a twin's contracts as plain data for the state file, and restores them after a restart.

Reading raises ValueError, KeyError or TypeError for invalid data.
"""

import math
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
_Powers = dict[Any, float]  # by what they are for


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
    nothing was agreed since then, beyond powers within the margin of the whole, of a contract, and of all
    that a supplier has promised.

    What has ended or shrunk is near, too, as the first reading after a restart corrects it. Not so a contract
    with suppliers of other nodes: they would refuse what they no longer promise.
    """
    try:
        rest = [{key: each for key, each in data.items() if key not in _MARKET} for data in (old, new)]
        before, after = ({each.id: each for each in read_contracts(data["contracts"])} for data in (old, new))
        return (
            rest[0] == rest[1]
            and all(_is_within(before[each], node) for each in before.keys() - after.keys())
            and all(_is_contract_near(before[each], after[each], node) for each in after)
            and _are_promises_near(old["promises"], new["promises"])
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return bool(old == new)


def _is_within(contract: Contract, node: str) -> bool:
    return all(node_of(part.supplier) == node for part in contract.parts)


def _is_contract_near(old: Contract, new: Contract, node: str) -> bool:
    terms = replace(new, revision=old.revision, parts=old.parts)
    restated = new.revision - old.revision
    if terms != old or not 0 <= restated <= _RESTATED_FEW:
        return False
    before, after = ({part.supplier: part for part in each.parts} for each in (old, new))
    if any(after[each].prices != before[each].prices for each in after):
        return False
    powers_w = [{name: part.power_w for name, part in parts.items()} for parts in (before, after)]
    most_w = [{name: part.max_w for name, part in parts.items()} for parts in (before, after)]
    if _is_within(old, node):
        return not (_have_grown(*powers_w) or _have_grown(*most_w))
    return before.keys() == after.keys() and _are_close(*powers_w) and _are_close(*most_w)


def _are_promises_near(old: list[list[Any]], new: list[list[Any]]) -> bool:
    powers_w, most_w = zip(_promised(old), _promised(new), strict=True)
    return not (_have_grown(*powers_w) or _have_grown(*most_w))


def _promised(rows: list[list[Any]]) -> tuple[_Powers, _Powers]:
    """Powers, and powers with the margin, by whom, by which contract and how urgently they are promised."""
    terms = [(consumer, key, priority) for consumer, key, _, _, priority in rows]
    powers_w, most_w = ([row[place] for row in rows] for place in (2, 3))
    return dict(zip(terms, powers_w, strict=True)), dict(zip(terms, most_w, strict=True))


def _are_close(old_w: _Powers, new_w: _Powers) -> bool:
    return not (_have_grown(old_w, new_w) or _have_grown(new_w, old_w))


def _have_grown(old_w: _Powers, new_w: _Powers) -> bool:
    """Whether there is a new one, or those that have grown did so by more than the margin of the sum."""
    grown_w = sum(max(0.0, power_w - old_w[key]) for key, power_w in new_w.items() if key in old_w)
    return not new_w.keys() <= old_w.keys() or grown_w > MARGIN * abs(sum(old_w.values()))
