"""What a node sends to a database of others: its history, as lines of the Influx protocol (docs/push.md).

Loaded only by a node whose section `[push]` names an address.
"""
