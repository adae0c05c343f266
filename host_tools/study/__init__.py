"""Studies: lists of independent runs, each with a result file of its own (docs/studies.md).

One mechanism for `sim --compare`, `storm` and `eval`: a study continues where it stopped, in some processes
of one machine, in shards on any number of machines, or on a Dask cluster.
"""
