"""The process of a node: its assembly, its main loop, and what it tells the service manager."""
