"""The command line of a node: names, versions and exit codes."""

import os
import socket
import subprocess
import sys

import pytest
from repository import REPOSITORY

import edge
from edge.__main__ import main
from host_tools.broker import free_port

ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}
CONSOLE_SCRIPT = "import sys; from edge.__main__ import main; sys.exit(main())\n"  # as an installer writes it


@pytest.fixture(params=["module", "script"])
def command(request, tmp_path):
    """The command as words, and its name."""
    if request.param == "module":
        return [sys.executable, "-m", "edge"], "python -m edge"
    script = tmp_path / "microgrid-edge"
    script.write_text(CONSOLE_SCRIPT)
    return [sys.executable, str(script)], "microgrid-edge"


def run(command, *arguments):
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT
    )


def test_help_names_the_command_as_it_was_called(command):
    words, name = command
    assert run(words, "--help").stdout.startswith(f"usage: {name} ")


def test_version(command):
    assert run(command[0], "--version").stdout == f"microgrid-edge {edge.__version__}\n"


@pytest.mark.parametrize("arguments", ["options", "--help"])
def test_a_reader_that_has_ended_is_no_error(command, arguments):
    process = subprocess.Popen(
        [*command[0], arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 0


def test_wrong_usage_exits_with_2(capsys):
    for arguments in ([], ["fly"], ["run"], ["status"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert "status: --config or --url is needed" in capsys.readouterr().err


def test_a_configuration_that_is_not_valid_exits_with_1(tmp_path, capsys):
    path = tmp_path / "node.toml"
    path.write_text("[node]\nname = 'UP'\n")
    for command in ("run", "check", "status"):
        assert main([command, "--config", str(path)]) == 1
        assert "node.name" in capsys.readouterr().err


def test_a_node_that_does_not_answer_exits_with_1(capsys):
    assert main(["status", "--url", f"http://127.0.0.1:{free_port()}"]) == 1
    assert "no answer" in capsys.readouterr().err


def configured(tmp_path, *lines, state_dir=None):
    path = tmp_path / "node.toml"
    node = f'[node]\nname = "gym"\nstate_dir = "{state_dir or tmp_path / "state"}"'
    path.write_text("\n".join([node, "[mqtt]", f"port = {free_port()}", *lines]) + "\n")
    return path


def start_fails(path):
    """The message of a node that cannot start."""
    ended = run([sys.executable, "-m", "edge"], "run", "--config", str(path))
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_state_folder_that_cannot_be_made_exits_with_3(tmp_path):
    (tmp_path / "file").write_text("")
    path = configured(tmp_path, state_dir=tmp_path / "file" / "state")
    assert f"{path}: node.state_dir = " in start_fails(path)


def test_an_http_port_in_use_exits_with_3(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = configured(tmp_path, "[api]", f"port = {port}")
        assert f"{path}: api: cannot listen on 127.0.0.1 port {port}: " in start_fails(path)


def test_a_model_that_does_not_know_its_option_exits_with_3(tmp_path):
    path = configured(tmp_path, "[learning]", 'node_model = "markov"', 'node_options = "cells = 9"')
    assert f"{path}: [learning]: " in start_fails(path)
