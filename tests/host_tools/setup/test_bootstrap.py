"""What a person sees while packages are installed."""

import sys

import pytest

from host_tools.setup.bootstrap import progress, show_progress
from host_tools.setup.debs import SetupError


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Collecting numpy==1.26.4 (from -c constraints.txt (line 31))\n", "numpy==1.26.4"),
        (
            "  Downloading https://host/numpy-1.26.4-cp311.whl (18.2 MB)\n",
            "downloading numpy-1.26.4-cp311.whl (18.2 MB)",
        ),
        ("Installing collected packages: a, b, c\n", "installing 3 packages; this takes a minute or two"),
        ("  Preparing metadata (pyproject.toml): started\n", ""),
        ("\n", ""),
    ],
)
def test_progress(line, said):
    assert progress(line) == said


def test_each_package_is_shown_at_once_and_a_failure_has_its_reason(capfd):
    show_progress([sys.executable, "-c", "print('Collecting numpy==1')"])
    assert "0 s  numpy==1" in capfd.readouterr().out
    with pytest.raises(SetupError, match="no such package"):
        show_progress([sys.executable, "-c", "import sys; print('x'); sys.exit('no such package')"])
