"""Deterministic simulation testing: every seed draws a microgrid and the faults it has to live through.

A seed is played with the invariants of DESIGN 7 checked after each event; one that fails is shrunk to the
few faults that matter and can be played again by anybody.
"""
