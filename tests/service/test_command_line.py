"""The command line of a node: names, versions and exit codes."""

import contextlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

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


class Stranger(socketserver.StreamRequestHandler):
    """Something else that listens at the port."""

    answer = b""

    def handle(self):
        self.rfile.readline()
        self.wfile.write(self.answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "no answer: "),
        (b"", "no answer: "),
        (b"HTTP/1.0 200 OK\r\n\r\n[1, 2]", "its answer is not an object"),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", "its answer is not JSON"),
    ],
)
def test_status_says_in_one_line_that_a_stranger_answers(capsys, monkeypatch, answer, words):
    monkeypatch.setattr(Stranger, "answer", answer)
    with socketserver.TCPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert main(["status", "--url", f"http://127.0.0.1:{server.server_address[1]}"]) == 1
        thread.join()
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a b", "http://:x", "nonsense"])
def test_status_says_in_one_line_that_an_address_is_no_use(capsys, url):
    assert main(["status", "--url", url]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{url}: no answer: ")


def test_status_of_a_node_without_an_http_server_says_so(tmp_path, capsys):
    path = configured(tmp_path, "[api]", "port = 0")
    assert main(["status", "--config", str(path)]) == 1
    assert capsys.readouterr().err == f"{path}: api.port = 0: this node has no HTTP server\n"


def test_a_full_disk_under_the_output_is_one_line(command):
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*command[0], "options"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == "the output cannot be written: No space left on device\n"


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


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, lambda path: path.symlink_to("/dev/null")])
def test_a_state_folder_that_is_none_is_named_by_check_and_by_run(tmp_path, capsys, make):
    make(tmp_path / "place")
    path = configured(tmp_path, state_dir=tmp_path / "place")
    assert "place': is not a folder" in start_fails(path)
    assert main(["check", "--config", str(path)]) == 1
    assert "place': is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "is not a regular file"),
        (Path.mkdir, "is not a regular file"),
        (Path.touch, "cannot be used: "),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda path: path.write_bytes(os.urandom(3000)), "cannot be used: "),
    ],
)
def test_a_certificate_that_is_none_is_named_at_once(tmp_path, make, reason):
    make(tmp_path / "ca.pem")
    files = [f'{key} = "{tmp_path}/ca.pem"' for key in ("ca", "certificate", "key")]
    neighbour = ["[[neighbour]]", 'name = "pool"', 'host = "127.0.0.1"']
    path = configured(tmp_path, "[tls]", *files, *neighbour)
    assert f"{path}: tls: {tmp_path}/ca.pem: {reason}" in start_fails(path)


def test_an_http_port_in_use_exits_with_3(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = configured(tmp_path, "[api]", f"port = {port}")
        assert f"{path}: api: cannot listen on 127.0.0.1 port {port}: " in start_fails(path)


def test_more_twins_than_the_space_holds_exit_with_3(tmp_path):
    twins = [f'[[twin]]\nname = "t{number}"\nkind = "load"' for number in range(12)]
    path = configured(tmp_path, "[limits]", "lsas = 8", *twins)
    assert f"{path}: the tuple space cannot hold twin " in start_fails(path)


def test_a_model_that_does_not_know_its_option_is_found_by_check_and_by_run(tmp_path, capsys):
    path = configured(tmp_path, "[learning]", 'node_model = "markov"', 'node_options = "cells = 9"')
    for command in ("run", "check"):
        assert main([command, "--config", str(path)]) == 1
        assert f"{path}: learning.node_options = " in capsys.readouterr().err


@contextlib.contextmanager
def started(path, port):
    """A node that answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", str(path)],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, answer_of(port)
    finally:
        process.kill()
        process.wait(30)
        process.stderr.close()


def answer_of(port):
    deadline_s = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
                return json.loads(response.read())
        except OSError:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)


def test_two_nodes_with_one_state_folder_are_refused(tmp_path):
    port = free_port()
    path = configured(tmp_path, "[api]", f"port = {port}")
    with started(path, port) as (first, _):
        message = start_fails(path)
        assert "node.state_dir = " in message
        assert "another node is running with this folder" in message
        assert first.poll() is None
    with started(path, port):  # the lock ends with its process
        pass


def test_after_three_crashes_a_node_starts_without_learning_and_says_so(tmp_path):
    port = free_port()
    learning = ["[learning]", 'node_model = "persistence"', "[api]", f"port = {port}"]
    path = configured(tmp_path, *learning)
    for _ in range(3):
        with started(path, port) as (_, health):
            assert "learning_off" not in [each["code"] for each in health["troubles"]]
    with started(path, port) as (node, health):
        (trouble,) = [each for each in health["troubles"] if each["code"] == "learning_off"]
        assert "3 times" in trouble["text"]
        node.terminate()
        assert node.wait(30) == 0
    with started(path, port) as (_, health):
        assert "learning_off" not in [each["code"] for each in health["troubles"]]


PAST = "timestamp,requested_w,produced_w,consumed_w,supplied_w,missing_w,available_w\n"


@pytest.mark.parametrize(
    ("key", "content", "words"),
    [
        ("node_history", None, "cannot be read"),
        ("node_history", PAST + "2024-01-01T00:00,1,1,1,1,1,-1e12\n", "line 2: available_w = -1e12"),
        (
            "cluster_history",
            PAST + "2024-01-01T00:00Z,1,1,1,1,1,1\n2023-01-01T00:00Z,1,1,1,1,1,1\n",
            "line 3",
        ),
        ("weather", "timestamp,irradiance_w_m2\n", "column temperature_c is missing"),
        ("weather", "timestamp,irradiance_w_m2,temperature_c\n2024010T00,1,1\n", "line 2"),
    ],
)
def test_check_names_a_file_of_the_past_that_cannot_be_used(tmp_path, capsys, key, content, words):
    past = tmp_path / "past.csv"
    models = ['node_model = "persistence"', 'cluster_model = "persistence"']
    path = configured(tmp_path, "[learning]", *models, f'{key} = "{past}"')
    if content:
        past.write_text(content)
    assert main(["check", "--config", str(path)]) == 1
    message = capsys.readouterr().err
    assert f"learning.{key}: {past}" in message
    assert words in message


def test_check_reads_a_good_past_and_a_configuration_with_a_byte_order_mark(tmp_path, capsys):
    past = tmp_path / "past.csv"
    past.write_text("\ufeff" + PAST + "2024-01-01T00:00,1,1,1,1,1,1\n\n", encoding="utf-8")
    path = configured(tmp_path, "[learning]", 'node_model = "persistence"', f'node_history = "{past}"')
    path.write_text("\ufeff" + path.read_text(), encoding="utf-8")
    assert main(["check", "--config", str(path)]) == 0
    assert capsys.readouterr().err == ""


def test_a_fifo_in_place_of_the_configuration_is_refused_at_once(tmp_path, capsys):
    os.mkfifo(tmp_path / "node.toml")
    assert main(["check", "--config", str(tmp_path / "node.toml")]) == 1
    assert "is not a regular file" in capsys.readouterr().err


CONFIG = '[node]\nname = "gym"\nstate_dir = "{}"\n'


def test_a_token_is_printed_alone_or_as_a_link_that_logs_in(tmp_path, capsys):
    config = tmp_path / "node.toml"
    config.write_text(CONFIG.format(tmp_path / "state"))
    assert main(["token", "--config", str(config)]) == 0
    token = capsys.readouterr().out.strip()
    assert len(token) >= 40
    assert main(["token", "--config", str(config), "--link"]) == 0
    assert capsys.readouterr().out == f"http://127.0.0.1:8080/#token={token}\n"
    assert main(["token", "--config", str(config), "--scope", "read"]) == 0
    assert capsys.readouterr().out.strip() not in ("", token)


def test_a_link_to_a_node_on_the_lan_has_its_name(tmp_path, capsys):
    config = tmp_path / "node.toml"
    config.write_text(CONFIG.format(tmp_path / "state") + '[api]\nhost = "0.0.0.0"\nport = 8443\n')
    assert main(["token", "--config", str(config), "--link"]) == 0
    assert capsys.readouterr().out.startswith("http://gym.local:8443/#token=")


def test_a_file_without_the_scope_is_named(tmp_path, capsys):
    config = tmp_path / "node.toml"
    config.write_text(CONFIG.format(tmp_path))
    (tmp_path / "api.tokens").write_text("configure abc\n")
    assert main(["token", "--config", str(config), "--scope", "read"]) == 1
    assert "scope read" in capsys.readouterr().err
