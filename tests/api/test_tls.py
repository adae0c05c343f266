"""The server beyond loopback: TLS on the same port, which other machines have to use."""

import datetime
import http.client
import socket
import ssl

import pytest
from asked_node import AskedNode
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.api import client, door
from edge.api.dispatch import Api
from edge.api.route import Route
from edge.api.server import ApiServer
from edge.api.tls import Certificate


def said(context, body) -> dict:
    return {"secure": context.caller.secure, "body": body}


def shown(context) -> dict:
    return {"secure": context.caller.secure, "text": "x" * 100_000}


@pytest.fixture
def files(tmp_path):
    made(tmp_path)
    return tmp_path


def made(folder):
    """A key and a certificate that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gym")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("gym")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "gym.crt").write_bytes(certificate.public_bytes(pem))
    form, no = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "gym.key").write_bytes(key.private_bytes(pem, form, no))


@pytest.fixture
def server(files):
    tls = Certificate(str(files / "gym.crt"), str(files / "gym.key"))
    routes = [Route("GET", "/shown", shown, ""), Route("POST", "/said", said, "", body=())]
    server = ApiServer("127.0.0.1", 0, Api(AskedNode(), routes=routes), 4, tls=tls)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def trusting(files):
    return ssl.create_default_context(cafile=files / "gym.crt")


def connected(server, trusting):
    plain = socket.create_connection(("127.0.0.1", server.port), 5)
    return trusting.wrap_socket(plain, server_hostname="gym")


def talk(connection, *pieces):
    with connection:
        for piece in pieces:
            connection.sendall(piece)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


def test_an_answer_comes_whole_over_tls(server, trusting):
    request = b"GET /shown HTTP/1.1\r\nHost: gym\r\n\r\n"
    status, _, body = talk(connected(server, trusting), request)
    assert status == 200
    assert body.startswith(b'{"secure":true')
    assert len(body) > 100_000


def test_a_head_in_many_records_and_a_body_after_it_are_read(server, trusting):
    head = b"POST /said HTTP/1.1\r\nHost: gym\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    pieces = [bytes([each]) for each in head] + [b"{", b"}"]
    status, _, body = talk(connected(server, trusting), *pieces)
    assert (status, body) == (200, b'{"secure":true,"body":{}}')


def test_a_head_of_one_large_record_is_read_to_its_end(server, trusting):
    request = b"GET /shown HTTP/1.1\r\nHost: gym\r\nX: " + b"a" * 7000 + b"\r\n\r\n"
    assert talk(connected(server, trusting), request)[0] == 200


def test_a_client_on_the_machine_need_not_use_tls(server):
    connection = socket.create_connection(("127.0.0.1", server.port), 5)
    status, _, body = talk(connection, b"GET /shown HTTP/1.1\r\nHost: gym\r\n\r\n")
    assert (status, body[:15]) == (200, b'{"secure":false')


def test_another_machine_has_to_use_tls(server, trusting, monkeypatch):
    real = client.Client.__init__

    def elsewhere(self, connection, first):
        real(self, connection, first)
        self.is_local = False

    monkeypatch.setattr(client.Client, "__init__", elsewhere)
    plain = socket.create_connection(("127.0.0.1", server.port), 5)
    status, head, _ = talk(plain, b"GET /shown?a=b HTTP/1.1\r\nHost: gym:8080\r\n\r\n")
    assert status == 308
    assert b"\r\nLocation: https://gym:8080/shown?a=b\r\n" in head
    plain = socket.create_connection(("127.0.0.1", server.port), 5)
    assert talk(plain, b"POST /said HTTP/1.1\r\nHost: gym\r\n\r\n")[0] == 426
    assert talk(connected(server, trusting), b"GET /shown HTTP/1.1\r\nHost: gym\r\n\r\n")[0] == 200


@pytest.mark.parametrize("data", [b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16" * 5000])
def test_a_handshake_that_is_none_changes_nothing(server, trusting, data, monkeypatch):
    monkeypatch.setattr(door, "HEAD_S", 0.5)
    with socket.create_connection(("127.0.0.1", server.port), 5) as broken:
        broken.sendall(data)
        try:
            while broken.recv(4096):
                pass
        except ConnectionError:
            pass
    request = b"GET /shown HTTP/1.1\r\nHost: gym\r\n\r\n"
    assert talk(connected(server, trusting), request)[0] == 200


def test_silent_handshakes_keep_nobody_out(server, trusting):
    silent = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(40)]
    for each in silent:
        each.sendall(b"\x16\x03\x01")
    request = b"GET /shown HTTP/1.1\r\nHost: gym\r\n\r\n"
    assert talk(connected(server, trusting), request)[0] == 200
    for each in silent:
        each.close()


def test_an_ordinary_client_is_served(server, trusting):
    trusting.check_hostname = False
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=5)
    connection.request("GET", "/shown")
    answer = connection.getresponse()
    assert len(answer.read()) > 100_000
    tag = answer.headers["ETag"]
    again = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=5)
    again.request("GET", "/shown", headers={"If-None-Match": tag})
    answer = again.getresponse()
    assert (answer.status, answer.read()) == (304, b"")


def test_a_new_certificate_holds_without_a_restart_and_a_damaged_one_leaves_the_old(server, trusting, files):
    request = b"GET /shown HTTP/1.1\r\nHost: gym\r\n\r\n"
    (files / "gym.crt").write_text("no certificate")
    assert talk(connected(server, trusting), request)[0] == 200
    made(files)
    with pytest.raises(ssl.SSLError):  # the old one is not trusted any more, so it is not the one shown
        connected(server, trusting)
    new = ssl.create_default_context(cafile=files / "gym.crt")
    assert talk(connected(server, new), request)[0] == 200


def test_files_that_cannot_be_used_are_an_error_at_the_start(tmp_path):
    with pytest.raises(OSError, match=r"gym\.crt"):
        Certificate(str(tmp_path / "gym.crt"), str(tmp_path / "gym.key"))


def test_files_that_are_missing_leave_the_old_and_are_named_once(files, caplog):
    tls = Certificate(str(files / "gym.crt"), str(files / "gym.key"))
    before = tls.context()
    data = (files / "gym.key").read_bytes()
    (files / "gym.key").unlink()
    assert all(tls.context() is before for _ in range(50))
    assert len([each for each in caplog.records if "cannot be used" in each.getMessage()]) == 1
    (files / "gym.key").write_bytes(data)
    assert tls.context() is not before
