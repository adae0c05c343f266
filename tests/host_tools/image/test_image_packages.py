"""The packages of an image as resolved by apt, and the figures from a count of instructions."""

from pathlib import Path

import pytest

from host_tools.bench.cpu import figures
from host_tools.image.packages import ROOT, Apt
from host_tools.setup.debs import SetupError

RECORDS = {
    "linux-image-arm64": ("6.1.9-1", "linux-image-6.1.0-9-arm64 (= 6.1.9-1)"),
    "linux-image-6.1.0-9-arm64": ("6.1.9-1", "kmod, linux-base (>= 4.3~)"),
    "raspi-firmware": ("1:1.2022-1", "dosfstools"),
}


class SaidApt(Apt):
    """apt as it would answer for these records."""

    def __init__(self) -> None:
        self.archives = Path("archives")
        self.asked: list[tuple[str, ...]] = []

    def _run(self, program: str, *arguments: str) -> str:
        self.asked.append((program, *arguments))
        return "\n\n".join(
            "Package: {}\nVersion: {}\nArchitecture: arm64\nDepends: {}\n".format(name, *RECORDS[name])
            for name in arguments
            if name in RECORDS
        )


def test_an_empty_package_stands_for_the_newest_it_points_to():
    apt = SaidApt()
    found = apt.fetch("linux-image-arm64", "raspi-firmware")
    assert found["linux-image-arm64"].name == "linux-image-6.1.0-9-arm64"
    assert found["raspi-firmware"].file == Path("archives/raspi-firmware_1%3a1.2022-1_arm64.deb")
    assert apt.asked[-1] == ("apt-get", "download", "linux-image-6.1.0-9-arm64", "raspi-firmware")


def test_a_package_that_debian_has_not_is_named():
    with pytest.raises(SetupError, match="not found in Debian: nonesuch"):
        SaidApt().fetch("raspi-firmware", "nonesuch")


def test_the_resolver_has_what_it_only_recommends_and_needs_for_the_own_name():
    assert {"systemd-resolved", "libnss-resolve", "libidn2-0"} <= set(ROOT)


def test_a_count_of_instructions_becomes_a_share_of_a_core():
    found = figures(instructions=1.2e9, guest_s=100.0, host_s=120.0)
    assert found["instructions_per_s"] == 12_000_000
    assert found["percent_of_a_core"] == 2.0  # of 0.6e9 a second at half an instruction a cycle
