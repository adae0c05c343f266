"""Meters in the network: Modbus TCP, and RTU frames over TCP."""

import socket
import struct
import threading

import pytest

from edge.clock import SystemClock
from edge.meter import BusSettings, MeterBus, MeterSettings
from edge.meter.errors import NoAnswer, PortLost
from edge.meter.ports import open_port
from edge.meter.profile import load_profile
from edge.meter.rtu import RtuMaster
from host_tools.meter.slave import Slave, sealed


class Gateway:
    """A meter behind TCP. `late` answers come with the number of the transaction before."""

    def __init__(self, modbus_tcp):
        self.modbus_tcp = modbus_tcp
        self.late = self.mute = False
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
                if not self.mute:
                    self.connection.sendall(self._answer(data))

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


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:1", "socket://127.0.0.1:1", "tcp://127.0.0.1:99999"])
def test_a_gateway_that_is_not_there_is_a_lost_port(url):
    with pytest.raises(PortLost):
        open_port(settings(url))


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
