"""Deterministic simulation testing: a seed gives a random microgrid and faults that it must survive.

The invariants of contracts (edge/energy/invariants.py) are checked after each event. A seed that fails is
reduced to the few faults that matter and can be replayed by anybody.
"""
