"""Offers and what became of them, requests in alert, and who waited longest (thesis 4.1.2, 4.4.4)."""

from typing import NamedTuple

from .file import HistoryFile, Row
from .names import OF_NAME, Name
from .queue import Note

MADE, RECEIVED = 0, 1  # roles of the local twin


class PastOffer(NamedTuple):
    """An offer of a local supplier, or one to a local consumer, once it is over. Times are Unix time in ms.

    `fate`: "accepted" (it is part of a contract), "refused" (the local consumer chose others), "elsewhere" (a
    consumer of another node did), or "ended". An offer that was received is noted when the consumer chooses.
    """

    at_ms: int
    twin: str
    partner: str
    request: int
    role: int
    max_w: float
    price: float
    fate: str
    ended_ms: int


class Alert(NamedTuple):
    """A request in alert: its node could have served it. `ended_ms` is None while it lasts."""

    at_ms: int
    twin: str
    power_w: float
    ended_ms: int | None


_OFFER = (
    "INSERT OR REPLACE INTO offers (at_ms, twin, partner, request, role, max_mw, price, fate, ended_ms) "
    f"VALUES (?, {OF_NAME}, {OF_NAME}, ?, ?, ?, ?, ?, ?)"
)
Place = tuple[int, str, str, int, int]  # at_ms, twin, partner, request and role of an offer
_LATEST: Place = (2**62, "", "", 0, 0)
_OFFERS = (
    "SELECT at_ms, t.name, p.name, request, role, max_mw / 1000.0, price, fate, ended_ms FROM offers "
    "JOIN names AS t ON t.id = offers.twin JOIN names AS p ON p.id = offers.partner "
    "WHERE at_ms >= ? AND at_ms < ? AND at_ms <= ? "
    "AND (at_ms, t.name, p.name, request, role) < (?, ?, ?, ?, ?) AND (? = '' OR t.name = ?) "
    "ORDER BY at_ms DESC, t.name DESC, p.name DESC, request DESC, role DESC LIMIT ?"
)
_ALERT = f"INSERT OR REPLACE INTO alerts (at_ms, twin, power_mw, ended_ms) VALUES (?, {OF_NAME}, ?, ?)"
_ALERTS = (
    "SELECT at_ms, name, power_mw / 1000.0, ended_ms FROM alerts JOIN names ON names.id = alerts.twin "
    "WHERE at_ms >= ? AND at_ms < ? ORDER BY at_ms DESC LIMIT ?"
)
_WAIT = f"INSERT OR IGNORE INTO waits (minute, twin, wait_s) VALUES (?, {OF_NAME}, ?)"
_WAITS = (
    "SELECT minute, name, wait_s FROM waits JOIN names ON names.id = waits.twin "
    "WHERE minute >= ? AND minute <= ? ORDER BY minute LIMIT ?"
)


def offer_note(offer: PastOffer) -> Note:
    """The entry for an offer that is over."""
    who = (Name(offer.twin), Name(offer.partner))
    how = (offer.request, offer.role, round(1000 * offer.max_w), offer.price)
    return _OFFER, (offer.at_ms, *who, *how, offer.fate, offer.ended_ms)


def alert_note(alert: Alert) -> Note:
    """The entry for an alert that began, or ended."""
    return _ALERT, (alert.at_ms, Name(alert.twin), round(1000 * alert.power_w), alert.ended_ms)


def wait_note(minute: int, twin: str, wait_s: float) -> Note:
    """The entry for the request of the node that had waited longest at the end of a minute."""
    return _WAIT, (minute, Name(twin), round(wait_s))


def offers(
    file: HistoryFile, first_s: float, last_s: float, twin: str, limit: int, before: Place | None
) -> list[PastOffer]:
    """Those made from `first_s` to before `last_s`, newest first; of one twin, or of all ("")."""
    before = before or _LATEST
    values = (round(1000 * first_s), round(1000 * last_s), before[0], *before, twin, twin, limit)
    return [PastOffer(*row) for row in file.good(file.read(_OFFERS, values), _is_whole)]


def alerts(file: HistoryFile, first_s: float, last_s: float, limit: int) -> list[Alert]:
    """Those that began from `first_s` to before `last_s`, newest first."""
    rows = file.read(_ALERTS, (round(1000 * first_s), round(1000 * last_s), limit))
    return [Alert(*row) for row in file.good(rows, lambda row: _is_whole(row[:3]))]


def waits(file: HistoryFile, first: int, last: int, limit: int) -> list[tuple[int, str, int]]:
    """(minute, twin, seconds) of the longest wait, in the minutes in which there was one."""
    return [(row[0], row[1], row[2]) for row in file.good(file.read(_WAITS, (first, last, limit)), _is_whole)]


def _is_whole(row: Row) -> bool:
    return all(isinstance(each, int | float | str) for each in row)
