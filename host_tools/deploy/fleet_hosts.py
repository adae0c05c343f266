"""The addresses of the fleet's nodes: `[cluster] hosts` and `[hosts]` in fleet.toml."""

import tomllib
from pathlib import Path

from edge.files import read_text


class FleetFileError(Exception):
    """fleet.toml is invalid or the node is unknown."""


def hosts(folder: Path) -> dict[str, str]:
    """The address of each node that has a file in `folder`/nodes, by name. Raises FleetFileError."""
    names = sorted(file.stem for file in (folder / "nodes").glob("*.toml"))
    if not names:
        raise FleetFileError(f"{folder / 'nodes'}: no nodes; each node needs a file NAME.toml")
    file = folder / "fleet.toml"
    try:
        shared = tomllib.loads(read_text(file)) if file.exists() else {}
        patterns = shared.get("cluster", {}).get("hosts", ["{name}.local"])
        given = shared.get("hosts", {})
        return {name: str(given.get(name, patterns)[0]).format(name=name) for name in names}
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise FleetFileError(f"{file}: the addresses of the nodes cannot be read: {error}") from None
