"""The firmware of a microgrid node: coordination, meters, energy contracts. Only this is installed on one."""
