"""A whole microgrid in one process: virtual clock, simulated links, and the code of the real node."""
