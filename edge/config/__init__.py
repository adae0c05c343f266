"""The configuration of a node: its sections, the check of a file as a whole, and the memory it needs."""
