"""What all of the fleet's tools say when something given to them is wrong."""


class FleetError(Exception):
    """Files, keys or arguments cannot be used; one line a mistake, each with file, key and value."""
