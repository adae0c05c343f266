"""The history of a node in one SQLite file: minutes, events, predictions, and what its models have learnt.

Minutes are those of UTC since 1970.

Every node has one, with and without learning. Nothing here knows what the values mean.
"""
