"""`python -m host_tools.package build|test|deb`, for `make package`, `make package-test` and `make deb`."""

import sys

from .build import PackageError, build
from .deb import ARCHITECTURES, build_deb
from .trial import trial


def main(arguments: list[str]) -> int:
    """Build the wheel, and with `test` try it, or the Debian packages. Returns the exit code."""
    if arguments not in (["build"], ["test"], ["deb"]):
        print("usage: python -m host_tools.package build|test|deb", file=sys.stderr)
        return 2
    try:
        if arguments == ["deb"]:
            for arch in ARCHITECTURES:
                build_deb(arch)
            return 0
        wheel, _ = build()
        if arguments == ["test"]:
            trial(wheel)
    except (PackageError, OSError) as error:
        print(f"package: failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
