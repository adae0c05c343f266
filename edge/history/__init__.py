"""History: what a node has seen, foretold and learnt, in one SQLite file (DESIGN 1, 9).

Knows nothing of what it keeps but its size; imported only when learning is on.
"""
