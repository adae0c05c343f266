"""Deploys to one node: query its status, build the release, copy it, and let the node try it.

The node itself does the trial and the rollback (deploy/rootfs/usr/lib/edge/activation). If the connection is
lost at any time, it still has a version that runs.
"""

import hashlib
import json
import shlex
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .release import Release, build_release
from .sign import next_number, signed
from .ssh import Connection, Failed

PROTOCOL, UNSIGNED = 2, 1  # as in activation/places.py; nodes whose card was made before 0.3.0
FOLDERS = ("config", "keys")
_WENT_BACK = 5
# Run as root through sudo; under EDGE_ROOT the rights of the user suffice.
_COMMAND = (
    'A="${EDGE_ROOT:-}/usr/lib/edge/activate"; [ -x "$A" ] || exit 127; '
    '[ -n "${EDGE_ROOT:-}" ] || [ "$(id -u)" = 0 ] || S="sudo -n"; exec ${S:-} "$A" '
)
_NO_COMMAND = 127

Say = Callable[[str], None]


class DeployError(Exception):
    """The node rejected the version and still runs the previous one."""


@dataclass
class Outcome:
    """The result of a deployment to one node."""

    before: str = ""
    after: str = ""
    result: str = ""
    steps: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """The version and configuration that the node should have.

    `made`: the output of `provision` for the node, with config/, keys/ and signers; `source`: folder of the
    package edge; `out`: folder in which releases are built; `key`: signs the release; `reissue`: with a new
    number.
    """

    made: Path
    source: Path
    out: Path
    key: Path
    wait_s: float = 60.0
    dry: bool = False
    reissue: bool = False


class Deployment:
    """The steps for one node; `say` is called with a line for each."""

    def __init__(self, connection: Connection, target: Target, say: Say) -> None:
        self._node = connection
        self._target = target
        self._say = say
        self.outcome = Outcome()
        self._status: dict[str, Any] = {}
        self._last_s = time.monotonic()

    def run(self) -> None:
        """Deploy. Raises DeployError, Failed, Unreachable, WheelError, ReleaseError, SignError."""
        status = self._status = self._ask()
        release = self._build(status)
        self.outcome.before, self.outcome.after = str(status["running"] or "nothing"), release.id
        folders = [name for name in FOLDERS if _differs(self._target.made / name, status[name])]
        damaged = status.get("damaged", [])
        if damaged:
            self._step(f"damaged on the card of the node: {', '.join(damaged)}")
        new = release.id not in status["releases"] or release.id in damaged
        if not folders and release.id not in damaged and not status["trial"] and _runs(status, release.id):
            self.outcome.result = "nothing to do"
            self._step(f"already runs {release.id}: nothing to do")
        elif self._target.dry:
            self._tell(release, new, folders)
        else:
            if new:
                self._copy(release)
            for name in folders:
                self._send_folder(name)
            self._try(release, folders)

    def _ask(self) -> dict[str, Any]:
        try:
            status = json.loads(self._node.run(_activate("status")))
        except Failed as failure:
            if failure.code == _NO_COMMAND:
                raise DeployError(
                    "/usr/lib/edge/activate not found: was the node's card made by `make image`?"
                ) from None
            raise
        if status["protocol"] not in (PROTOCOL, UNSIGNED):
            raise DeployError(
                f"the node uses version {status['protocol']} of the protocol, this tool version {PROTOCOL}: "
                "install a newer image on the card, or update this tool"
            )
        self._step(
            f"{status['arch']}, Python {status['python']}, running {status['running'] or 'no release'}"
        )
        return dict(status)

    def _build(self, status: dict[str, Any]) -> Release:
        release = build_release(status["arch"], status["python"], self._target.source, self._target.out)
        self._step(f"release {release.id}")
        return release

    def _tell(self, release: Release, new: bool, folders: list[str]) -> None:
        if new:
            lacking = self._wants(release, "--dry")
            self._step(f"would copy {_amount(release, lacking)}")
        for name in folders:
            self._step(f"would replace {name}")
        self.outcome.result = "would be changed"
        self._step(f"would switch to {release.id} and restart")

    def _wants(self, release: Release, *options: str) -> list[str]:
        """Announce the release; a dry run and a node with an older card need no signature."""
        announced = (release.folder / "release.json").read_bytes()
        if self._status["protocol"] != UNSIGNED and not options:
            least = next_number(self._status["number"]) if self._target.reissue else 0
            announced = signed(release, self._target.key, _signers(self._target.made), least)
        return list(json.loads(self._node.run(_activate("wants", *options), announced)))

    def _copy(self, release: Release) -> None:
        lacking = self._wants(release)
        self._node.send(_activate("receive", release.id), lambda pipe: _pack(release.folder, pipe, lacking))
        self._step(f"copied {_amount(release, lacking)}")

    def _send_folder(self, name: str) -> None:
        self._node.send(_activate("stage", name), lambda pipe: _pack(self._target.made / name, pipe))
        self._step(f"sent new {name}")

    def _try(self, release: Release, folders: list[str]) -> None:
        chosen = [word for name in folders for word in ("--with", name)]
        try:
            self._node.follow(
                _activate("try", release.id, "--wait", str(self._target.wait_s), *chosen), self._step
            )
        except Failed as failure:
            if failure.code != _WENT_BACK:
                raise
            self.outcome.result = "rolled back"
            raise DeployError(
                f"{release.id} is not healthy: the node rolled back to {self.outcome.before}"
            ) from None
        self.outcome.result = "deployed"

    def _step(self, text: str) -> None:
        now_s = time.monotonic()
        self.outcome.steps.append((text, now_s - self._last_s))
        self._say(f"{now_s - self._last_s:5.1f} s  {text}")
        self._last_s = now_s


def _signers(made: Path) -> list[str]:
    """The public keys of those who may release in future; none if `provision` did not make the list."""
    file = made / "signers"
    return file.read_text().splitlines() if file.is_file() else []


def _activate(*words: str) -> str:
    return _COMMAND + shlex.join(words)


def _amount(release: Release, paths: list[str]) -> str:
    return f"{len(paths)} of {len(release.files)} files, {release.size_bytes(paths) / 1e6:.2f} MB"


def _runs(status: dict[str, Any], release: str) -> bool:
    """Whether the node runs this release, and not as a fallback from another one."""
    return status["current"] in (release, None) and (status["health"] or {}).get("release") == release


def _differs(folder: Path, digest: str) -> bool:
    """Whether a local folder differs from that of the node, by the node's digest."""
    if not folder.is_dir():
        return False
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    lines = [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest() != digest


def _pack(folder: Path, pipe: IO[bytes], paths: list[str] | None = None) -> None:
    """Write files of a folder as a tar archive, without owners and times."""
    if paths is None:
        paths = [path.name for path in sorted(folder.iterdir()) if path.is_file()]
    with tarfile.open(fileobj=pipe, mode="w|") as archive:
        for path in paths:
            member = tarfile.TarInfo(path)
            member.size = (folder / path).stat().st_size
            with (folder / path).open("rb") as file:
                archive.addfile(member, file)
