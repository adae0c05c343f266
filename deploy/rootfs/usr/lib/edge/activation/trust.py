"""Who may release: the signature of a manifest, and its number, which does not go back.

The card brings the first list of signers, in the read-only root. A confirmed release may bring a new list:
its manifest is signed, so only a present signer can name the next ones.
"""

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from .manifest import Manifest, Refused, manifest_of
from .places import BASE, FACTORY, ROOT, releases

NAMESPACE, SIGNER = "microgrid-edge", "operator"
OF_THE_CARD, SIGNERS, NUMBER = ROOT / "etc/edge/signers", BASE / "signers", BASE / "number"
_SSH_KEYGEN = "/usr/bin/ssh-keygen"
_MOST_S = 30


def check(data: bytes, signature: bytes, manifest: Manifest) -> None:
    """Check the signature of a manifest and that it is not older than what was confirmed. Raises Refused."""
    name = manifest["id"]
    if not signature.strip():
        raise Refused(f"release {name} is not signed")
    if not _is_signed(data, signature):
        raise Refused(f"release {name} is not signed by a signer that this node knows")
    newest = confirmed_number()
    if manifest.get("number", 0) < newest:
        raise Refused(
            f"release {name} has number {manifest.get('number', 0)}, and {newest} was confirmed here: "
            "to return to it on purpose, add --reissue"
        )


def _is_signed(data: bytes, signature: bytes) -> bool:
    keys = signers()
    if not keys:
        raise Refused(f"{OF_THE_CARD}: this node knows no signer: was its card made by `make image`?")
    with tempfile.TemporaryDirectory() as folder:
        allowed, signed = Path(folder) / "allowed", Path(folder) / "signature"
        allowed.write_text("".join(f'{SIGNER} namespaces="{NAMESPACE}" {key}\n' for key in keys))
        signed.write_bytes(signature)
        words = ["-Y", "verify", "-n", NAMESPACE, "-I", SIGNER, "-f", str(allowed), "-s", str(signed)]
        try:
            done = subprocess.run(
                [_SSH_KEYGEN, *words], input=data, capture_output=True, check=False, timeout=_MOST_S
            )
        except subprocess.TimeoutExpired:
            raise Refused(f"the signature could not be checked within {_MOST_S} s: try again") from None
    return done.returncode == 0


def signers() -> list[str]:
    """The public keys of those who may release: the list confirmed last, or that of the card."""
    for file in (SIGNERS, OF_THE_CARD):
        with suppress(OSError, ValueError):
            if keys := file.read_text("ascii").splitlines():
                return keys
    return []


def confirmed_number() -> int:
    """The largest number confirmed on this node, or that of the factory release."""
    numbers = [0]
    with suppress(OSError, ValueError):
        numbers.append(int(NUMBER.read_text("ascii")))
    for folder in (FACTORY, *(folder for folder in releases() if (folder / "confirmed").exists())):
        with suppress(Refused):
            numbers.append(manifest_of(folder).get("number", 0))
    return max(numbers)


def remember(manifest: Manifest) -> None:
    """Keep the number and the signers of a confirmed release; an older one changes nothing."""
    number = manifest.get("number", 0)
    if number < confirmed_number():
        return
    _write(NUMBER, f"{number}\n")
    if keys := manifest.get("signers"):
        _write(SIGNERS, "".join(f"{key}\n" for key in keys))


def _write(file: Path, text: str) -> None:
    partial = file.with_name(f".{file.name}")
    with partial.open("w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    partial.replace(file)
