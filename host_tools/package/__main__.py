"""`python -m host_tools.package build|test`: what `make package` and `make package-test` run."""

import sys

from .build import PackageError, build
from .trial import trial


def main(arguments: list[str]) -> int:
    """Build the package, and with `test` try it. Returns the exit code."""
    if arguments not in (["build"], ["test"]):
        print("usage: python -m host_tools.package build|test", file=sys.stderr)
        return 2
    try:
        wheel, _ = build()
        if arguments == ["test"]:
            trial(wheel)
    except (PackageError, OSError) as error:
        print(f"package: failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
