"""Where the nodes of the fleet are reached: `[cluster] hosts` and `[hosts]` of fleet.toml."""

import tomllib
from pathlib import Path


class FleetFileError(Exception):
    """fleet.toml cannot be used, or there is no such node."""


def hosts(folder: Path) -> dict[str, str]:
    """The address of each node that has a file in `folder`/nodes, by name. Raises FleetFileError."""
    names = sorted(file.stem for file in (folder / "nodes").glob("*.toml"))
    if not names:
        raise FleetFileError(f"{folder / 'nodes'}: no node: one NAME.toml each is expected")
    file = folder / "fleet.toml"
    try:
        shared = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        patterns = shared.get("cluster", {}).get("hosts", ["{name}.local"])
        given = shared.get("hosts", {})
        return {name: str(given.get(name, patterns)[0]).format(name=name) for name in names}
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise FleetFileError(f"{file}: no address of the nodes can be read from it: {error}") from None
