"""Contacts at GPIO lines: what is delivered, and what the kernel is asked."""

import fcntl
import os
import struct

import pytest

from edge.clock import SystemClock
from edge.config.check import ConfigError, build
from edge.meter.contacts import RETRY_S, TELL_S, Contacts, GpioLines
from edge.meter.settings import ContactSettings


class Clock:
    now = 0.0

    def now_s(self):
        return self.now


class Lines:
    """Lines whose state a test sets; None: they cannot be read."""

    state = (False, False)
    opened = 0

    def __call__(self, chip, lines, closed):
        self.asked = chip, list(lines), closed
        self.opened += 1
        self.closed()
        return self

    def closed(self):
        if self.state is None:
            raise OSError(19, "No such device")
        return list(self.state)

    def close(self):
        pass


@pytest.fixture
def contacts():
    lines, told = Lines(), []
    settings = [ContactSettings(name=name, line=line) for name, line in (("w3", 17), ("s2", 27))]
    contacts = Contacts(settings, Clock(), lines)
    contacts.deliver = lambda reading: told.append((reading.device, reading.power_w))
    return contacts, lines, told


def test_a_state_counts_when_it_was_seen_twice_and_is_told_when_it_changes(contacts):
    contacts, lines, told = contacts
    contacts.step()
    assert told == []
    contacts.step()
    contacts.step()
    assert told == [("w3.closed", 0.0), ("s2.closed", 0.0)]
    assert lines.asked == ("/dev/gpiochip0", [17, 27], "low")
    for state in ((True, False), (False, False), (True, False), (True, False)):  # it bounces
        lines.state = state
        contacts.step()
    assert told[2:] == [("w3.closed", 1.0)]


def test_an_unchanged_state_is_told_again_as_a_sign_of_life(contacts):
    contacts, _, told = contacts
    contacts.step()
    contacts.step()
    contacts._clock.now = TELL_S
    contacts.step()
    assert told == 2 * [("w3.closed", 0.0), ("s2.closed", 0.0)]


def test_lines_that_cannot_be_read_are_undefined_and_are_opened_again(contacts):
    contacts, lines, told = contacts
    contacts.step()
    lines.state = None
    assert contacts.step() == RETRY_S
    assert told == [("w3.closed", None), ("s2.closed", None)]
    assert contacts.trouble == "No such device"
    assert not contacts.stats()["open"]
    lines.state = (True, True)
    contacts.step()
    contacts.step()
    assert told[2:] == [("w3.closed", 1.0), ("s2.closed", 1.0)]
    assert (contacts.trouble, lines.opened) == ("", 2)


def test_the_kernel_is_asked_as_its_interface_says(monkeypatch):
    """Sizes and numbers as in linux/gpio.h: no board is needed to see that they fit."""
    asked = []

    def ioctl(number, request, data):
        asked.append((request, bytes(data)))
        if request == 0xC250B407:
            data[-4:] = struct.pack("=i", os.open("/dev/null", os.O_RDONLY))
        else:
            data[:8] = struct.pack("=Q", 0b10)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    lines = GpioLines("/dev/null", [17, 27], "low")
    assert lines.closed() == [False, True]
    lines.close()
    (request, data), (values, mask) = asked
    assert (request, values) == (0xC250B407, 0xC010B40E)
    assert struct.unpack_from("=2I", data) == (17, 27)
    assert data[256:270] == b"microgrid-edge"
    assert struct.unpack_from("=Q", data, 288)[0] == 1 << 1 | 1 << 2 | 1 << 8  # active low, input, pull-up
    assert struct.unpack_from("=I", data, 560)[0] == 2
    assert struct.unpack_from("=Q", mask, 8)[0] == 0b11


def test_a_chip_that_is_missing_is_told_by_the_real_thing():
    contacts = Contacts([ContactSettings(name="w3", line=1, chip="/dev/gpiochip99")], SystemClock())
    told = []
    contacts.deliver = told.append
    contacts.start()
    contacts.stop()
    assert contacts.trouble
    assert [each.power_w for each in told] == [None]


def raw(tmp_path, **contact):
    return {
        "node": {"name": "n1", "state_dir": str(tmp_path)},
        "contact": [{"name": "w3", "line": 17} | contact],
        "regulator": {"w3_input": "w3.closed", "installed_w": 5000.0},
    }


def test_a_contact_is_an_input_of_the_regulator(tmp_path):
    config = build(raw(tmp_path), "n.toml")
    assert config.regulator.inputs == ("w3.closed",)
    assert config.contacts[0].closed == "low"
    with pytest.raises(ConfigError, match="w3_input"):
        build(raw(tmp_path, name="w4"), "n.toml")
    with pytest.raises(ConfigError, match="GPIO chip"):
        build(raw(tmp_path, chip="/dev/sda"), "n.toml")
