"""The tables of the community: accounts and prices by quarter-hour, levels of batteries, days of a market."""

TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
    minute INTEGER, twin INTEGER, credit_mwh INTEGER, paid_micro INTEGER, earned_micro INTEGER,
    PRIMARY KEY (minute, twin)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prices (
    minute INTEGER, supplier INTEGER, rate_micro INTEGER, PRIMARY KEY (minute, supplier)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS levels (
    minute INTEGER, twin INTEGER, level_mwh INTEGER, PRIMARY KEY (minute, twin)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS market_days (
    minute INTEGER, member INTEGER, bought_wh INTEGER, sold_wh INTEGER, more_wh INTEGER, less_wh INTEGER,
    market_micro INTEGER, balancing_micro INTEGER, unknown_steps INTEGER, PRIMARY KEY (minute, member)
) WITHOUT ROWID;
"""
NAMES = ("accounts", "prices", "levels", "market_days")
