"""The error of all fleet tools."""


class FleetError(Exception):
    """Invalid files, keys or arguments; one line for each error, with file, key and value."""
