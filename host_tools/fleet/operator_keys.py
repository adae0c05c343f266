"""What a node gets of the operator's public ssh keys: who may log in, and who may sign releases."""

import re
from collections.abc import Sequence
from pathlib import Path

from .errors import FleetError

_KINDS = (
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
)
_KEY = re.compile(rf"{_KINDS} [A-Za-z0-9+/]+={{0,3}}( [^\r\n]*)?")


def authorized_keys(files: Sequence[Path], given_by: str, api_ports: Sequence[int]) -> str:
    """All keys of all files. A login may run commands and forward a port to the HTTP servers of nodes only.

    Raises FleetError; `given_by`: the setting or option that names the files.
    """
    options = "restrict,pty"
    open_to = [f"{host}:{port}" for port in api_ports if port for host in ("127.0.0.1", "localhost")]
    if open_to:
        options += ",port-forwarding" + "".join(f',permitopen="{each}"' for each in open_to)
    return "".join(f"{options} {key}\n" for file in files for key in _keys(file, given_by))


def signers(files: Sequence[Path], given_by: str) -> str:
    """All keys of all files, one a line, without comments. Raises FleetError."""
    return "".join(f"{' '.join(key.split()[:2])}\n" for file in files for key in _keys(file, given_by))


def _keys(file: Path, given_by: str) -> list[str]:
    def wrong(reason: str) -> FleetError:
        return FleetError(f"{given_by} = {str(file)!r}: {reason}")

    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise wrong("file not found; create a key with ssh-keygen -t ed25519") from None
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise wrong("not a public key") from None
    if "PRIVATE KEY" in text:
        raise wrong(f"this is a private key; use the public one, usually {file.name}.pub")
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for key in keys:
        if not _KEY.fullmatch(key):
            raise wrong(f"not a public ssh key: {key[:40]!r}")
    if not keys:
        raise wrong("contains no key")
    return keys
