"""The field: what real installations do to a node, drawn at random from a seed and played in virtual time.

A stage (`line.py`) misbehaves, a draw (`draw.py`) says how and when, and a judge (`judge.py`) checks what
must be true all the time. The code under test is that of a node; only its port and its clock are virtual.
So far the stage is a meter bus.
"""
