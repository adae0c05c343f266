"""Meters in the network: Modbus TCP, and RTU frames over TCP."""

import contextlib
import socket
import struct
import threading
import time

import pytest

from edge.clock import SystemClock
from edge.meter import BusSettings, MeterBus, MeterSettings
from edge.meter.errors import NoAnswer, PortLost, ShortFrame, WrongFunction, WrongSlave
from edge.meter.ports import open_port
from edge.meter.profile import load_profile
from edge.meter.rtu import RtuMaster
from edge.option import options_of
from host_tools.meter.slave import Slave, sealed


class Gateway:
    """A meter behind TCP. It sends `says` if that is given.

    `late` answers come with the number of the transaction before.
    """

    def __init__(self, modbus_tcp):
        self.modbus_tcp = modbus_tcp
        self.late = self.mute = self.closes = False
        self.ends = ""  # how it ends the connection after each answer: reset, half
        self.says = ()  # these bytes in place of an answer
        self.slave = Slave(1, load_profile("sdm120"), lambda now_s: 1234.0, 0.0)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.accepted = 0
        self.connection = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                self.connection, _ = self.server.accept()
            except OSError:
                return
            self.accepted += 1
            while data := self._received():
                if self.closes:
                    self.connection.shutdown(socket.SHUT_RDWR)
                elif self.says:
                    for each in self.says:
                        self.connection.sendall(each)
                        time.sleep(0.02)
                elif not self.mute:
                    self.connection.sendall(self._answer(data))
                if self.ends == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                elif self.ends == "half":
                    self.connection.shutdown(socket.SHUT_WR)

    def _received(self):
        try:
            return self.connection.recv(512)
        except OSError:
            return b""

    def _answer(self, data):
        if not self.modbus_tcp:
            return self.slave.answer(data, 0.0)
        transaction, _, length, unit = struct.unpack(">HHHB", data[:7])
        assert length == len(data) - 6
        body = self.slave.answer(sealed(bytes((unit,)) + data[7:]), 0.0)[:-2]
        header = struct.pack(">HHH", transaction - self.late, 0, len(body))
        return header + body

    def close(self):
        self.hang_up()
        self.server.close()

    def hang_up(self):
        if self.connection:
            with contextlib.suppress(OSError):  # it has ended already
                self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()


@pytest.fixture(params=["tcp", "socket"])
def gateway(request):
    made = Gateway(request.param == "tcp")
    made.url = f"{request.param}://127.0.0.1:{made.port}"
    yield made
    made.close()


def settings(url):
    return BusSettings(name="b", port=url, timeout_s=0.3)


def test_registers_are_read(gateway):
    port = open_port(settings(gateway.url))
    master = RtuMaster(port, 0.3)
    for _ in range(3):
        assert struct.unpack(">f", master.read_registers(1, 4, 0x0C, 2)) == (1234.0,)
    port.close()


def test_an_idle_connection_that_was_closed_is_opened_again(gateway):
    port = open_port(settings(gateway.url))
    master = RtuMaster(port, 0.3)
    master.read_registers(1, 4, 0x0C, 2)
    gateway.hang_up()
    assert struct.unpack(">f", master.read_registers(1, 4, 0x0C, 2)) == (1234.0,)
    assert gateway.accepted == 2
    port.close()


def test_silence_is_no_answer(gateway):
    gateway.mute = True
    port = open_port(settings(gateway.url))
    with pytest.raises(NoAnswer):
        RtuMaster(port, 0.1).read_registers(1, 4, 0x0C, 2)
    port.close()


def test_a_late_answer_of_modbus_tcp_is_told_by_its_number():
    gateway = Gateway(True)
    gateway.late = True
    port = open_port(settings(f"tcp://127.0.0.1:{gateway.port}"))
    with pytest.raises(NoAnswer):
        RtuMaster(port, 0.1).read_registers(1, 4, 0x0C, 2)
    port.close()
    gateway.close()


@pytest.mark.parametrize(
    "url",
    [
        "tcp://127.0.0.1:1",
        "socket://127.0.0.1:1",
        "tcp://127.0.0.1:99999",
        "tcp://127.0.0.1:0",
        "tcp://a..b:502",
        f"socket://{'a' * 64}:502",
    ],
)
def test_a_gateway_that_is_not_there_is_a_lost_port(url):
    with pytest.raises(PortLost):
        open_port(settings(url))


@pytest.mark.parametrize("port", ["tcp://h:65536", "tcp://h:99999", "socket://h:0", "tcp://h:00502"])
def test_a_port_number_that_cannot_be_is_refused_in_the_file(port):
    (option,) = (each for each in options_of(BusSettings) if each.key == "port")
    assert option.refusal(port)
    assert not option.refusal("tcp://h:65535")


@pytest.mark.parametrize("ends", ["reset", "half"])
def test_an_idle_connection_that_has_ended_is_opened_again(gateway, ends):
    """A gateway that restarts answers an old connection by a reset; others close their half."""
    gateway.ends = ends
    port = open_port(settings(gateway.url))
    master = RtuMaster(port, 0.3)
    for number in range(3):
        assert len(master.read_registers(1, 4, 0x0C, 2)) == 4
        assert gateway.accepted == number + 1
        time.sleep(0.05)
    port.close()


def test_a_connection_that_is_closed_in_place_of_an_answer_is_a_lost_port(gateway):
    port = open_port(settings(gateway.url))
    gateway.closes = True
    with pytest.raises(PortLost, match="closed the connection"):
        RtuMaster(port, 0.3).read_registers(1, 4, 0x0C, 2)
    port.close()


# ---- Modbus TCP --------------------------------------------------------------------------------------


def frame(body, transaction=1):
    return struct.pack(">HHH", transaction, 0, len(body)) + body


ANSWER = bytes((1, 4, 4)) + struct.pack(">f", 1234.0)
WRONG = bytes((1, 4, 4)) + struct.pack(">f", 231.0)


@pytest.mark.parametrize(
    "answers",
    [
        (frame(WRONG, 0) + frame(ANSWER),),  # a late one and ours in one segment
        (frame(WRONG, 65535), frame(ANSWER)),
        (frame(ANSWER)[:3], frame(ANSWER)[3:9], frame(ANSWER)[9:]),
        (frame(ANSWER) + frame(WRONG),),  # answered twice
        (frame(ANSWER) + frame(ANSWER)[:4],),
    ],
)
def test_the_answer_of_the_transaction_is_taken(answers):
    gateway = Gateway(True)
    gateway.says = answers
    port = open_port(settings(f"tcp://127.0.0.1:{gateway.port}"))
    data = RtuMaster(port, 0.5).read_registers(1, 4, 0x0C, 2)
    assert struct.unpack(">f", data) == (1234.0,)
    port.close()
    gateway.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (frame(WRONG, 7), NoAnswer),  # another transaction
        (frame(bytes((9,)) + ANSWER[1:]), WrongSlave),  # another unit
        (frame(bytes((255,)) + ANSWER[1:]), WrongSlave),
        (frame(bytes((0,)) + ANSWER[1:]), WrongSlave),
        (frame(ANSWER[:-2]), ShortFrame),
        (frame(bytes((1, 3)) + ANSWER[2:]), WrongFunction),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", PortLost),
        (frame(ANSWER)[:-1], NoAnswer),
    ],
)
def test_another_answer_is_refused_by_its_name(answer, error):
    gateway = Gateway(True)
    gateway.says = (answer,)
    port = open_port(settings(f"tcp://127.0.0.1:{gateway.port}"))
    with pytest.raises(error):
        RtuMaster(port, 0.3).read_registers(1, 4, 0x0C, 2)
    port.close()
    gateway.close()


def test_a_gateway_that_does_not_return_the_number_is_named(caplog):
    gateway = Gateway(True)
    gateway.says = (frame(ANSWER, 0),)
    port = open_port(settings(f"tcp://127.0.0.1:{gateway.port}"))
    for _ in range(3):
        with pytest.raises(NoAnswer):
            RtuMaster(port, 0.1).read_registers(1, 4, 0x0C, 2)
    assert ["transaction number" in each.getMessage() for each in caplog.records] == [True]
    port.close()
    gateway.close()


def test_a_bus_over_the_network(gateway):
    heard = []
    arrived = threading.Event()

    def deliver(reading):
        heard.append(reading)
        arrived.set()

    meter = MeterSettings(name="m1", bus="b", address=1, profile="sdm120")
    bus = MeterBus(settings(gateway.url), [meter], [], SystemClock(), deliver)
    bus.start()
    assert arrived.wait(5)
    bus.stop()
    assert heard[0].power_w == pytest.approx(1234)
    assert heard[0].record["voltage_v"] == pytest.approx(230, abs=2)
