"""Runs the tests of the kernel under MicroPython: every module here that needs no pytest."""

import os
import sys

HERE = sys.argv[0].rsplit("/", 1)[0] if "/" in sys.argv[0] else "."
NEED_PYTEST = ("test_model.py", "test_micropython.py", "test_gossip_schedules.py")


def main():
    sys.path.insert(0, HERE)
    passed = failed = 0
    for file in sorted(os.listdir(HERE)):
        if not file.startswith("test_") or not file.endswith(".py") or file in NEED_PYTEST:
            continue
        module = __import__(file[:-3])
        for name in sorted(dir(module)):
            if name.startswith("test_"):
                try:
                    getattr(module, name)()
                    passed += 1
                except Exception as error:
                    failed += 1
                    sys.stdout.write(f"FAILED {file} {name}\n")
                    sys.print_exception(error)
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    sys.exit(1 if failed or not passed else 0)


main()
