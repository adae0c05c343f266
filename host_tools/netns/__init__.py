"""Dozens of real nodes, each with its broker in a network namespace of its own (thesis 8.2.4).

`make run NODES=random:36:3 NETNS=1` plays the same trial with real processes and under the virtual clock, and
prints both side by side (docs/running.md).
"""
