"""Command line of a node: `microgrid-edge run|check|status|token|backup|restore|options|probe`.

Exit codes: 0 success; 1 the configuration is not valid (`check`: or a file that it names), the node that was
asked is not well, no meter was found, or the history cannot be copied or restored; 2 wrong usage; 3 the node
cannot start (HTTP port in use, state folder, keys or TLS files not usable, extra not installed), or the port
to probe cannot be opened; 130 interrupted.
"""

import errno
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    import argparse

    from .config.settings import NodeConfig

log = logging.getLogger("edge")
OK, WRONG, CANNOT_START, INTERRUPTED = 0, 1, 3, 130


_COPYING = {
    "backup": "Copy the history of a node to a file, and check it. The node may run meanwhile. An earlier "
    "copy of that name is replaced. Contracts and keys are not in it.",
    "restore": "Put a copy in place of the history of a node, which may run meanwhile. The present history "
    "is first copied to history.before-restore.sqlite. A node that learns uses the models of the copy after "
    "a restart.",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        try:
            return _command(arguments)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has ended, as `head` does
        _discard_output()
        return OK
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO, errno.EBADF):
            raise
        print(f"the output cannot be written: {error.strerror}", file=sys.stderr)
        _discard_output()
        return WRONG


def _discard_output() -> None:
    """So that the flush when Python ends does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _command(arguments: list[str] | None) -> int:
    match sys.argv[1:] if arguments is None else arguments:
        case ["run", "--config", path] if not path.startswith("-"):
            return _run(Path(path))  # as the service calls it: a node does not keep 0.8 MB for argparse
    parser = _parser()
    chosen = parser.parse_args(arguments)
    match chosen.command:
        case "run":
            return _run(chosen.config)
        case "check":
            return _check(chosen.config)
        case "status":
            if not chosen.url and not chosen.config:
                parser.error("status: --config or --url is needed")
            return _status(chosen.url) if chosen.url else _status_of(chosen.config)
        case "token":
            return _token(chosen.config, chosen.scope, chosen.member, chosen.link)
        case "backup" | "restore":
            return _copy_history(chosen.config, chosen.file, restored=chosen.command == "restore")
        case "probe":
            from .probe import run

            return run(chosen)
        case _:
            from .config import options

            print(options.markdown() if chosen.markdown else options.table(), end="")
            return OK


def _parser() -> "argparse.ArgumentParser":
    import argparse

    called = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(
        prog="python -m edge" if called == "__main__.py" else called, description="A node of the microgrid."
    )
    parser.add_argument("--version", action="version", version=f"microgrid-edge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the node until SIGTERM, SIGINT or SIGHUP")
    run.add_argument("--config", required=True, type=Path, help="TOML file of this node")
    check = commands.add_parser("check", help="check a configuration and print the memory that it needs")
    check.add_argument("--config", required=True, type=Path, help="TOML file of a node")
    status = commands.add_parser("status", help="ask a running node for its health")
    status.add_argument("--config", type=Path, help="TOML file of the node, which gives its address")
    status.add_argument("--url", help="or the address itself, such as http://127.0.0.1:8080")
    token = commands.add_parser("token", help="print a token for the HTTP interface of a node")
    token.add_argument("--config", required=True, type=Path, help="TOML file of the node")
    token.add_argument(
        "--scope", choices=("read", "operate", "configure"), default="configure", help="what it may do"
    )
    token.add_argument("--member", help="of this member, who sees and changes only its own twins")
    token.add_argument("--link", action="store_true", help="as a link that logs a browser in")
    for name, what in (("backup", "copy the history to a file"), ("restore", "put such a copy back")):
        copying = commands.add_parser(name, help=f"{what}; the node may run", description=_COPYING[name])
        copying.add_argument("--config", required=True, type=Path, help="TOML file of the node")
        copying.add_argument("file", metavar="FILE", type=Path, help="the copy")
    probe = commands.add_parser("probe", help="find the meters on a line: speed, parity, addresses, profiles")
    _probe_arguments(probe)
    listing = commands.add_parser("options", help="print every configuration key")
    listing.add_argument("--markdown", action="store_true", help="as the page docs/configuration.md")
    return parser


def _probe_arguments(parser: "argparse.ArgumentParser") -> None:
    parser.description = "Find the meters on a line. It only reads. Stop the node first: a port has one user."
    parser.add_argument("--port", required=True, help="device file, tcp://HOST:502 or socket://HOST:PORT")
    parser.add_argument("--addresses", default="1-16", help="such as 1-16 (default) or 1,2,40-60")
    parser.add_argument("--baud", type=int, help="only this speed (default: the usual ones in turn)")
    parser.add_argument("--parity", choices=("N", "E", "O"), help="only this parity")
    parser.add_argument("--stop-bits", type=int, choices=(1, 2), default=1, help="stop bits (default 1)")
    parser.add_argument(
        "--timeout", type=float, default=0.2, help="seconds to wait for an answer (default 0.2)"
    )


def _load(path: Path) -> "NodeConfig | None":
    """The configuration; None, and a message, if it is not valid."""
    from .config.check import ConfigError, load

    try:
        return load(path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return None


def _run(path: Path) -> int:
    from .config.changes import Changes
    from .config.check import ConfigError
    from .service import docstrings

    docstrings.drop()  # 1.6 MB of a node that learns
    try:
        changes = Changes.load(path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG
    config = changes.config
    from .service.assembly import CannotStart, serve

    logging.basicConfig(
        level=config.node.log_level.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        serve(changes)
    except CannotStart as error:
        log.error("%s: %s", path, error)
        return CANNOT_START
    return OK


def _check(path: Path, below: tuple[str, ...] = ()) -> int:
    """Also the files of the nodes that the same machine has in microgrids above; `below`: those before."""
    config = _load(path)
    if config is None:
        return WRONG
    if config.name in below:
        print(f"{path}: node.name = {config.name!r}: this machine has such a node already", file=sys.stderr)
        return WRONG
    code = _check_one(path, config)
    if config.holon:
        code = max(code, _check(path.parent / config.holon.parent, (*below, config.name)))
    return code


def _check_one(path: Path, config: "NodeConfig") -> int:
    from .config.budget import budget, table
    from .config.learning import check_past
    from .service.measure import CannotBuild, CannotMeasure, measured

    print(
        f"{path}: node {config.name} with {len(config.twins)} twins, {len(config.meters)} meters, "
        f"{len(config.neighbours)} neighbours"
    )
    mistakes = list(check_past(config))
    if os.path.lexists(config.state_dir) and not config.state_dir.is_dir():
        mistakes.append(f"node.state_dir = {str(config.state_dir)!r}: is not a folder")
    mistakes += _check_trust(config)
    try:
        print(table(budget(config, measured(config, path))))
    except CannotBuild as error:
        mistakes.append(str(error))
    except CannotMeasure as error:
        print(f"{path}: the memory of the node cannot be measured: {error}", file=sys.stderr)
        return CANNOT_START
    for line in mistakes:
        print(f"{path}: {line}", file=sys.stderr)
    return WRONG if mistakes else OK


def _check_trust(config: "NodeConfig") -> list[str]:
    """Why the keys of the node cannot be used. On another machine than the node they are missing."""
    if config.trust is None:
        print("no section [trust]: anybody who reaches this node can lie to it")
        return []
    if not config.trust.key.parent.exists():
        print(f"trust.key = {str(config.trust.key)!r}: not on this machine, so the keys are not checked")
        return []
    from .trust.files import KeyFileError
    from .trust.source import Source

    try:
        Source(config.name, config.trust, config.state_dir).own()
    except KeyFileError as error:
        return [f"trust: {error}"]
    return []


def _copy_history(path: Path, file: Path, restored: bool) -> int:
    config = _load(path)
    if config is None:
        return WRONG
    from .clock import Zone
    from .history.backup import BackupError, backup, restore

    history, zone = config.state_dir / "history.sqlite", Zone(config.node.timezone)
    before = None
    try:
        if restored:
            copied, before = restore(file, history, zone)
        else:
            copied = backup(history, file)
    except BackupError as error:
        print(error, file=sys.stderr)
        return WRONG
    if before:
        print(f"the history until now was copied to {before}")
    span = "" if copied.first is None else f", {zone.text(copied.first)} to {zone.text(copied.last or 0)}"
    print(f"{file}: {'restored' if restored else 'written'}: {copied.minutes:,} minutes{span}")
    return OK


def _status_of(path: Path) -> int:
    config = _load(path)
    if config is None:
        return WRONG
    if not config.api.port:
        print(f"{path}: api.port = 0: this node has no HTTP server", file=sys.stderr)
        return WRONG
    host = f"[{config.api.host}]" if ":" in config.api.host else config.api.host
    return _status(f"http://{host}:{config.api.port}")


def _token(path: Path, scope: str, member: str | None, as_link: bool) -> int:
    """Print a token; they are made if the node has not started yet."""
    config = _load(path)
    if config is None:
        return WRONG
    from .api.access import MEMBER, load_tokens

    members = [each.name for each in config.members]
    if member is not None and member not in members:
        print(f"{path}: there is no [[member]] with the name {member}", file=sys.stderr)
        return WRONG
    try:
        config.state_dir.mkdir(parents=True, exist_ok=True)
        tokens = load_tokens(config.state_dir, members)
        token = tokens[scope if member is None else f"{MEMBER}{member}"]
    except OSError as error:
        print(f"{path}: tokens cannot be read: {error.filename}: {error.strerror}", file=sys.stderr)
        return CANNOT_START
    except KeyError:
        print(f"{path}: the file of tokens has none with the scope {scope}", file=sys.stderr)
        return WRONG
    print(f"{_address(config)}/#token={token}" if as_link else token)
    return OK


def _address(config: "NodeConfig") -> str:
    """Where people find the dashboard: beyond loopback by the name that the node has on its network."""
    from .api.access import is_local

    host, port = config.api.host, config.api.port
    if is_local(host) or host == "localhost":
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return f"{'https' if config.tls else 'http'}://{config.name}.local:{port}"


def _status(url: str) -> int:
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    import orjson

    try:
        with urllib.request.urlopen(url.rstrip("/") + "/health", timeout=5) as response:
            health = orjson.loads(response.read(1 << 20))
    except orjson.JSONDecodeError:
        print(f"{url}: is not a node: its answer is not JSON", file=sys.stderr)
        return WRONG
    except (urllib.error.URLError, HTTPException, OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())
        print(f"{url}: no answer: {reason or type(error).__name__}", file=sys.stderr)
        return WRONG
    if not isinstance(health, dict):
        print(f"{url}: is not a node: its answer is not an object", file=sys.stderr)
        return WRONG
    for each in health.get("warnings", ()):
        print(f"warning: {each['text']}", file=sys.stderr)
    print(orjson.dumps(health, option=orjson.OPT_INDENT_2).decode())
    return OK if health.get("status") == "ok" else WRONG


if __name__ == "__main__":
    sys.exit(main())
