"""The process of a node: assembly, beats and main loop, pressure of the machine, service manager."""
