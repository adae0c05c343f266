"""The statement of one member as a page of HTML, with nothing about other members but their sum."""

from html import escape

from edge.csv_file import time_text
from edge.terms import Quality

from .settlement import Account, Prices, Settlement

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b2733}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{padding:.3rem .6rem;text-align:right;"
    "border-bottom:1px solid #d5dde5}th:first-child,td:first-child{text-align:left}"
    "tfoot td{font-weight:600}small,.note{color:#51606e}@media print{body{margin:0}}"
)
_HEADINGS = ("drawn", "from the community", "from the supplier", "fed in", "to the community", "to the grid")


def page(member: str, period: str, settlement: Settlement, prices: Prices, currency: str) -> str:
    """The whole page."""
    account = settlement.accounts[member]
    rows = "".join(
        f"<tr><td>{time_text(day_s)[:10]}</td>{_cells(day)}</tr>"
        for day_s, day in sorted(settlement.days[member].items())
    )
    headings = "".join(f"<th>{each}</th>" for each in _HEADINGS)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Statement of {escape(member)}, '
        f"{escape(period)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Statement of {escape(member)}</h1><p>{escape(period)}, days of UTC. "
        f"Sharing key: {escape(settlement.key.name)}. Energies in Wh.</p>"
        f"<table><thead><tr><th>day</th>{headings}</tr></thead><tbody>{rows}</tbody>"
        f"<tfoot><tr><td>sum</td>{_cells(account)}</tr></tfoot></table>"
        f"{_money(account, prices, escape(currency))}{_quality(account)}"
        '<p class="note">The meters of the grid operator settle; this statement is made from the meters of '
        "the community.</p></body></html>\n"
    )


def _cells(account: Account) -> str:
    energies = (
        *(account.withdrawn_wh, account.received_wh, account.residual_wh),
        *(account.injected_wh, account.given_wh, account.surplus_wh),
    )
    if account.steps[Quality.MISSING] == sum(account.steps.values()):
        return "<td>unknown</td>" * len(energies)
    return "".join(f"<td>{energy:,}</td>" for energy in energies)


def _money(account: Account, prices: Prices, currency: str) -> str:
    lines = (
        ("paid for what was drawn", account.cost(prices)),
        ("earned by what was fed in", account.earned(prices)),
        ("gained by being a member", account.gain(prices)),
    )
    rows = "".join(f"<tr><td>{name}</td><td>{amount:,.2f}</td></tr>" for name, amount in lines)
    return (
        f"<table><thead><tr><th>{currency}</th><th></th></tr></thead><tbody>{rows}</tbody></table>"
        f"<p><small>Per kWh: {prices.community:g} within the community, {prices.retail:g} from the supplier, "
        f"{prices.feed_in:g} from the grid for what is fed in.</small></p>"
    )


def _quality(account: Account) -> str:
    counts = ", ".join(f"{account.steps[each]:,} {each}" for each in Quality)
    note = f"Steps of settlement: {counts}."
    if account.steps[Quality.MISSING]:
        note += " The energy of missing steps is unknown and is in no sum."
    if account.unsure:
        note += f" In {account.unsure:,} of the measured ones another member was filled or missing."
    return f"<p>{note}</p>"
