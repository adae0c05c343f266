"""Docstrings that are dropped when a module is loaded: the module does the same without them."""

import subprocess
import sys

from edge.service.docstrings import without_docstrings

_LONG = "A sentence that is certainly longer than sixty characters, so that it is dropped."
_SOURCE = f'''"""{_LONG}"""

class Sample:
    """{_LONG}"""

    {" = ".join(f"n{i}" for i in range(300))} = 0

    def speak(self):
        """{_LONG}"""
        return "{_LONG} It is a value."

    def values(self):
        return ["{_LONG}" for _ in range(2)]

    async def wait(self):
        """{_LONG}"""


class Late:
    x = {list(range(2000, 2300))!r}
    y = [{", ".join(str(i) + ".5" for i in range(300))}]
    """{_LONG}"""


def short():
    """Short."""


first = lambda: "{_LONG}"
'''


def test_long_docstrings_are_dropped_and_values_stay():
    found: dict[str, object] = {"__name__": "sample"}
    exec(without_docstrings(compile(_SOURCE, "sample.py", "exec")), found)
    sample = found["Sample"]
    assert found["__doc__"] == sample.__doc__ == sample.speak.__doc__ == sample.wait.__doc__ == " "
    assert sample().speak() == f"{_LONG} It is a value."
    assert sample().values() == [_LONG] * 2
    assert sample.__qualname__ == "Sample"
    assert found["first"]() == _LONG
    assert found["short"].__doc__ == "Short."
    assert found["Late"].y[299] == 299.5


def test_numpy_and_the_models_work_without():
    program = (
        "from edge.service.docstrings import drop; drop(); drop()\n"
        "import edge.twins.learning, edge.learn.mixture, dataclasses, argparse, json\n"
        "import numpy as np; np.random.default_rng(1); np.fft.fft([4.0])\n"
        "print(np.linalg.solve.__doc__, edge.learn.mixture.Mixture.__doc__, np.float32(2.0) + 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", ["3.0"])
