"""How the Makefile passes its variables on, and what it refuses by itself."""

import os
import re
import subprocess

import pytest
from repository import REPOSITORY


def make(*words):
    """Run make with `printf` in place of Python, and everything set up: each argument becomes a line."""
    environment = os.environ | {"PYTHON": r"printf '%s\n' ", "READY": "Makefile"}
    command = ["make", "-e", "-s", "-o", "Makefile", *words]  # it is not made, however old it is
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("value", ["it's", "two words", "a'b'c", '"$HOME"', "; false", "ä"])
@pytest.mark.parametrize(
    ("target", "name"), [("run", "OUT"), ("sim", "DATA"), ("eval", "DATA"), ("sim", "SCENARIO")]
)
def test_any_text_reaches_the_command_as_one_argument(target, name, value):
    found = make(target, f"{name}={value.replace('$', '$$')}")
    assert found.stderr == ""
    assert value in found.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["image"], "NODE=name is needed"),
        (["image-test"], "NODE=name is needed"),
        (["deploy"], "NODE=name or NODE=all is needed"),
        (["eval"], "DATA=file or folder is needed"),
        (["run", "HOURS=5"], "HOURS is not a variable of `make run`"),
        (["fieldtest", "HOURS=5"], "HOURS is not a variable of `make fieldtest`"),
        (["attack", "SEEDS=5"], "SEEDS is not a variable of `make attack`"),
        (["lint", "ARGS=edge"], "ARGS is not a variable of `make lint`; it has none"),
        (["run", "HOLONS="], "HOLONS is empty"),
        (["storm", "SEEDS= "], "SEEDS is empty"),
    ],
)
def test_what_is_missing_or_unknown_is_named(words, reason):
    found = make(*words)
    assert found.returncode == 2
    assert reason in found.stderr


def test_options_may_be_none():
    assert make("storm", "ARGS=").returncode == 0


def test_help_names_every_variable_that_a_target_takes():
    told = dict(re.findall(r"^make (\S+) +(.*)$", make("help").stdout, re.M))
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    taken = re.findall(r"^([a-z-]+):.*\n\t\$\(call only,(.*)\)$", makefile, re.M)
    assert len(taken) > 20
    pairs = [(target, name) for target, names in taken for name in names.split()]
    assert [(target, name) for target, name in pairs if f"{name}=" not in told[target]] == []
