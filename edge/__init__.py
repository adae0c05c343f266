"""microgrid-edge: the service of one building of a microgrid, for boards of Raspberry Pi 3 class."""

__version__ = "0.2.0"
