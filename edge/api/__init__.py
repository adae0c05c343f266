"""The doors of a node for people and programs on the same machine: HTTP and JSON."""
