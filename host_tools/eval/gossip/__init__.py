"""`python -m host_tools eval --gossip`: microgrids of learners that exchange models and predictions.

    buildings   measured buildings, with one clock
    past        what a node has learnt before, kept on disk
    recording   a node that is replayed instead of computed
    links       who hears whom, loss, delay, cuts
    microgrid   minutes driven for all nodes at once
    plain       exchanges without any defence, and attackers
    studies     the jobs of each question
    report      tables and intervals of the results; plots

Each job is one microgrid and writes one file, so a study can be stopped, resumed and split over machines.
"""
