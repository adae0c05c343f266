"""Offers and what became of them, requests in alert, and who waited longest (thesis 4.1.2, 4.4.4)."""

from typing import NamedTuple

from .events import NUMBERS
from .file import HistoryFile, Row
from .names import OF_NAME, Name, id_of
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


# one more than the last id of that ms, as for events
_NEXT_ID = f"ifnull(1 + (SELECT max(id) FROM past_offers WHERE id < (?1 + 1) * {NUMBERS}), 0)"
_OFFER = (
    "INSERT INTO past_offers (id, twin, partner, request, role, max_mw, price, fate, lasted_ms) "
    f"VALUES (max(?1 * {NUMBERS}, {_NEXT_ID}), {id_of(2)}, {id_of(3)}, ?4, ?5, ?6, ?7, {id_of(8)}, ?9 - ?1)"
)
Place = tuple[int, str, str, int, int]  # at_ms, twin, partner, request and role of an offer
_LATEST: Place = (2**50, "", "", 0, 0)
_COLUMNS = "t.name, p.name, request, role, max_mw / 1000.0, price"
_TWO = "JOIN names AS t ON t.id = o.twin JOIN names AS p ON p.id = o.partner"
_BEFORE = (
    "(at_ms, t.name, p.name, request, role) < (:at_ms, :name, :partner, :request, :role) "
    "AND (:twin = '' OR t.name = :twin) "
    "ORDER BY at_ms DESC, t.name DESC, p.name DESC, request DESC, role DESC LIMIT :most"
)
_OFFERS = (
    f"SELECT o.id / {NUMBERS} AS at_ms, {_COLUMNS}, f.name, o.id / {NUMBERS} + lasted_ms "
    f"FROM past_offers AS o {_TWO} JOIN names AS f ON f.id = o.fate WHERE o.id >= :first * {NUMBERS} "
    f"AND o.id < :last * {NUMBERS} AND o.id < (:at_ms + 1) * {NUMBERS} AND {_BEFORE}"
)
_OF_EARLIER_RELEASES = (
    f"SELECT at_ms, {_COLUMNS}, fate, ended_ms FROM offers AS o {_TWO} "
    f"WHERE at_ms >= :first AND at_ms < :last AND at_ms <= :at_ms AND {_BEFORE}"
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
    return _OFFER, (offer.at_ms, *who, *how, Name(offer.fate), offer.ended_ms)


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
    at_ms, *others = before or _LATEST
    place = dict(zip(("name", "partner", "request", "role"), others, strict=True))
    place |= {"at_ms": min(at_ms, _LATEST[0])}
    span = {"first": round(1000 * first_s), "last": min(round(1000 * last_s), _LATEST[0])}
    asked = place | span | {"twin": twin, "most": limit}
    rows = [row for each in (_OFFERS, _OF_EARLIER_RELEASES) for row in file.read(each, asked)]
    found = [PastOffer(*row) for row in file.good(rows, _is_whole)]
    return sorted(found, key=lambda offer: offer[:5], reverse=True)[:limit]


def alerts(file: HistoryFile, first_s: float, last_s: float, limit: int) -> list[Alert]:
    """Those that began from `first_s` to before `last_s`, newest first."""
    rows = file.read(_ALERTS, (round(1000 * first_s), round(1000 * last_s), limit))
    return [Alert(*row) for row in file.good(rows, lambda row: _is_whole(row[:3]))]


def waits(file: HistoryFile, first: int, last: int, limit: int) -> list[tuple[int, str, int]]:
    """(minute, twin, seconds) of the longest wait, in the minutes in which there was one."""
    return [(row[0], row[1], row[2]) for row in file.good(file.read(_WAITS, (first, last, limit)), _is_whole)]


def _is_whole(row: Row) -> bool:
    return all(isinstance(each, int | float | str) for each in row)
