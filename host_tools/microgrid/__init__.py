"""A microgrid of real processes on this machine: nodes, their brokers and simulated meters."""
