"""`make constraints`: installs the newest permitted versions and writes them to constraints.txt.

It also pins the wheels of a release by their SHA-256 (deploy/wheels.sha256).
Each line holds for one Python version only, as packages drop old Pythons: on others, pip ignores it.
"""

import sys

from ..deploy.wheels import PINNED, WheelError, pin
from .bootstrap import CONSTRAINED, CONSTRAINTS, VENV, install_packages, python_version, say
from .debs import SetupError, run

_HEADER = f"""\
# Exact versions of all packages that `make setup` installs, so that a build can be repeated.
# For Python {CONSTRAINED}, which is the version on the nodes. Written by `make constraints`; do not edit.
"""


def main() -> int:
    """Upgrade the virtual environment and write its versions. Returns the exit code."""
    try:
        if python_version() != CONSTRAINED:
            raise SetupError(f"{VENV.name} has Python {python_version()}, but {CONSTRAINED} is needed")
        say("installing the newest permitted versions")
        install_packages("--upgrade", "--upgrade-strategy", "eager")
        command = [
            str(VENV / "bin" / "pip"),
            "list",
            "--format",
            "freeze",
            "--exclude-editable",
            "--exclude",
            "pip",
        ]
        installed = run([*command, "--disable-pip-version-check"]).split()
    except SetupError as problem:
        print(f"constraints failed: {problem}", file=sys.stderr)
        return 1
    lines = [f'{package} ; python_version == "{CONSTRAINED}"\n' for package in installed]
    CONSTRAINTS.write_text(_HEADER + "".join(lines))
    say(f"{CONSTRAINTS.name}: {len(lines)} packages")
    try:
        say(f"{PINNED.name}: {pin()} wheels")
    except WheelError as problem:
        print(f"constraints failed: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
