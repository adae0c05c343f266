"""What a deployment reads from fleet.toml: the addresses of the nodes, and the operator's key."""

import tomllib
from pathlib import Path
from typing import Any

from edge.files import read_text
from host_tools.fleet.gates import TABLE, Gates, read_gates


class FleetFileError(Exception):
    """fleet.toml is invalid or the node is unknown."""


def hosts(folder: Path) -> dict[str, str]:
    """The address of each machine that has a file in `folder`/nodes, by name. Raises FleetFileError."""
    file, names, gates = folder / "fleet.toml", _names(folder), gates_of(folder)
    try:
        shared = _shared(file)
        patterns = shared.get("cluster", {}).get("hosts", ["{name}.local"])
        given = shared.get("hosts", {})
        machines = [name for name in names if not gates.level(name)]
        return {name: str(given.get(name, patterns)[0]).format(name=name) for name in machines}
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise FleetFileError(f"{file}: the addresses of the nodes cannot be read: {error}") from None


def gates_of(folder: Path) -> Gates:
    """Which nodes share a machine. Raises FleetFileError."""
    file = folder / "fleet.toml"

    def complain(key: str, value: object, reason: str) -> None:
        raise FleetFileError(f"{file}: {key} = {value!r}: {reason}")

    try:
        return read_gates(_shared(file).get(TABLE, []), _names(folder), complain)
    except (OSError, ValueError) as error:
        raise FleetFileError(f"{file}: the gates cannot be read: {error}") from None


def operator_key(folder: Path) -> Path:
    """The first of `[operator] public_keys`; ssh-keygen finds the private key beside it or in the agent.

    Raises FleetFileError.
    """
    file = folder / "fleet.toml"
    try:
        given = _shared(file).get("operator", {}).get("public_keys", ["~/.ssh/id_ed25519.pub"])
        return folder / Path(given[0]).expanduser()
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise FleetFileError(f"{file}: operator.public_keys cannot be read: {error}") from None


def _names(folder: Path) -> list[str]:
    """Raises FleetFileError."""
    names = sorted(file.stem for file in (folder / "nodes").glob("*.toml"))
    if not names:
        raise FleetFileError(f"{folder / 'nodes'}: no nodes; each node needs a file NAME.toml")
    return names


def _shared(file: Path) -> dict[str, Any]:
    return tomllib.loads(read_text(file)) if file.exists() else {}
