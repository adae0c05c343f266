"""Finds a MicroPython for the tests of the coordination kernel, and downloads one if there is none.

The order is: the one on the PATH; Debian's package, unpacked with its own C library, as older releases do
not have it; the WebAssembly port from npm, which runs under node.
"""

import os
import shutil
import subprocess
import sys

from .debs import REPOSITORY, TOOLS, SetupError, apt_install, one_at_a_time, run, unpack

DEBIAN_SUITE = "trixie"
NPM_PACKAGE = "@micropython/micropython-webassembly-pyscript"
NPM_VERSION = "1.27.0"
HEAP = "16M"


def micropython_command() -> list[str] | None:
    """The command that runs a script, without the script and its arguments. It imports from our repository.

    None if there is no MicroPython for this machine; the reasons are then printed to standard error.
    """
    problems = []
    for find in (installed, from_debian, from_npm):
        try:
            return find()
        except SetupError as problem:
            problems.append(f"  {find.__name__}: {problem}")
    print("no MicroPython found:", *problems, sep="\n", file=sys.stderr)
    return None


def installed() -> list[str]:
    """The one on the PATH."""
    path = shutil.which("micropython")
    if path is None:
        raise SetupError("not installed")
    return _unix_port([path])


@one_at_a_time()
def from_debian() -> list[str]:
    """Debian's package, started with its own dynamic loader."""
    root = TOOLS / "micropython"
    if not root.exists():
        unpack("micropython", root, suite=DEBIAN_SUITE)
    loader = next(root.glob("usr/lib*/ld-linux-*.so.*"), None)
    if loader is None:
        raise SetupError(f"no dynamic loader for this machine under {root}")
    libraries = ":".join(sorted({str(path.parent) for path in root.glob("usr/lib/*/libc.so.*")}))
    return _unix_port([str(loader), "--library-path", libraries, str(root / "usr" / "bin" / "micropython")])


@one_at_a_time()
def from_npm() -> list[str]:
    """The WebAssembly port. Node and npm are installed if they are missing and we are root."""
    if not (shutil.which("node") and shutil.which("npm")):
        apt_install("nodejs", "npm")
    folder = TOOLS / "npm"
    port = folder / "node_modules" / NPM_PACKAGE
    if not (port / "micropython.mjs").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(
            [
                "npm",
                "install",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(folder),
                f"{NPM_PACKAGE}@{NPM_VERSION}",
            ]
        )
    runner = REPOSITORY / "host_tools" / "setup" / "micropython.mjs"
    return ["node", str(runner), str(port), str(REPOSITORY)]


def _unix_port(program: list[str]) -> list[str]:
    return ["env", f"MICROPYPATH={REPOSITORY}{os.pathsep}.frozen", *program, "-X", f"heapsize={HEAP}"]


def main(arguments: list[str]) -> int:
    """Run a script with its arguments; without any, print the command that would run it."""
    command = micropython_command()
    if command is None:
        return 1
    if not arguments:
        print(" ".join(command))
        return 0
    return subprocess.run([*command, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
