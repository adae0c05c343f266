"""`python -m host_tools.fuzz.child TARGET LIBFUZZER-OPTIONS...`: one target under atheris."""

import logging
import sys


def main() -> None:
    """Does not return: libFuzzer ends the process."""
    import atheris  # only on the PC of a developer

    with atheris.instrument_imports(include=["edge"]):
        from .targets import targets
    logging.disable()
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], targets()[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
