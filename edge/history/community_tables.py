"""The tables of the community: accounts and prices by quarter-hour, levels of batteries."""

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
"""
NAMES = ("accounts", "prices", "levels")
