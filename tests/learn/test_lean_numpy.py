"""The parts of numpy that are not loaded at first are loaded when they are used."""

import subprocess
import sys

_PROGRAM = """
import sys
from edge.learn import lean_numpy
lean_numpy.prepare()
lean_numpy.prepare()
import numpy as np
parts = ("random.mtrand", "ma.core", "fft._pocketfft", "polynomial.polynomial")
print([part for part in parts if f"numpy.{part}" in sys.modules])
print(np.random.default_rng(1).integers(1, 2), np.ma.array([3]).sum(), np.fft.fft([4.0])[0].real)
from numpy.polynomial import Polynomial
print(Polynomial([1, 2])(3))
"""


def test_parts_are_loaded_when_they_are_used():
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["[]", "1 3 4.0", "7.0"]
