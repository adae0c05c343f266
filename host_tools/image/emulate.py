"""Runs a node's card in qemu: on a generic arm64 machine, or on a Raspberry Pi 3 with its own device tree.

The firmware of a Pi is not emulated: qemu gets kernel, initramfs and device tree from the card's boot
partition. The serial adapter of the meters is an FTDI, as on a real node.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..broker import die_with_parent
from ..setup.debs import run
from .disk import MIB, CardLayout

# qemu's watchdog of the Pi resets immediately, so the emulator runs without one.
_KERNEL = (
    "root=LABEL=rootfs panic=10 fsck.repair=yes net.ifnames=0 transparent_hugepage=madvise "
    "systemd.gpt_auto=0 quiet systemd.show_status=1 systemd.watchdog_sec=0 modprobe.blacklist=bcm2835_wdt"
)
_TREE = "bcm2837-rpi-3-b.dtb"
_BOOT_FILES = ("vmlinuz", "initrd.img", _TREE)


@dataclass(frozen=True, slots=True)
class Machine:
    """An emulated computer; `boot_s`: the time limit of a boot to a healthy service, under load."""

    name: str
    consoles: tuple[str, ...]
    arguments: tuple[str, ...]
    disk: tuple[str, ...]  # {card} stands for the file
    boot_s: float


MACHINES = {
    "virt": Machine(
        "virt",
        ("ttyAMA0",),
        (
            *("-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "1G"),
            *("-device", "virtio-net-pci,netdev=net,romfile="),  # the ROM would need another package
            *("-device", "qemu-xhci", "-device", "usb-serial,chardev=meter"),
        ),
        ("-drive", "if=none,id=card,format=raw,file={card}", "-device", "virtio-blk-pci,drive=card"),
        240.0,
    ),
    "raspi3b": Machine(
        "raspi3b",
        ("ttyAMA0", "ttyS1"),
        (
            *("-M", "raspi3b", "-dtb", _TREE, "-usb"),
            *("-device", "usb-hub,bus=usb-bus.0,port=1"),
            *("-device", "usb-net,netdev=net,bus=usb-bus.0,port=1.1"),
            *("-device", "usb-serial,chardev=meter,bus=usb-bus.0,port=1.2"),
        ),
        ("-drive", "if=sd,format=raw,file={card}"),
        420.0,
    ),
}


class Emulator:
    """A machine with a card that it may write to."""

    def __init__(
        self, machine: Machine, card: Path, folder: Path, meter: Path, forwards: dict[int, int]
    ) -> None:
        """`meter`: the terminal of the meters; `forwards`: ports of the host to ports of the guest."""
        self.machine = machine
        self.console = folder / "console.log"
        self._card = card.resolve()
        self._folder = folder
        self._meter = meter
        self._forwards = forwards
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Switch the machine on. Raises SetupError if the card has no boot files."""
        offset = CardLayout().boot.start_mib * MIB
        for name in _BOOT_FILES:
            run(["mcopy", "-n", "-o", "-i", f"{self._card}@@{offset}", f"::{name}", str(self._folder / name)])
        with (self._folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
            )

    def _command(self) -> list[str]:
        machine = self.machine
        net = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in self._forwards.items())
        consoles = " ".join(f"console={name},115200" for name in machine.consoles)
        return [
            "qemu-system-aarch64",
            *machine.arguments,
            *(word.format(card=self._card) for word in machine.disk),
            *("-kernel", "vmlinuz", "-initrd", "initrd.img", "-append", f"{consoles} {_KERNEL}"),
            *("-netdev", f"user,id=net{net}", "-chardev", f"serial,id=meter,path={self._meter}"),
            *("-display", "none", "-monitor", "none", "-no-reboot"),
            *self._serial(),
        ]

    def _serial(self) -> list[str]:
        """Serial options: the last console goes to the log, others are discarded."""
        last = f"file:{self.console.name}"
        return [
            word for to in (*["null"] * (len(self.machine.consoles) - 1), last) for word in ("-serial", to)
        ]

    @property
    def running(self) -> bool:
        """Whether the machine is running."""
        return self._process is not None and self._process.poll() is None

    def cut_power(self) -> None:
        """Kill the machine at once, in the middle of any write."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None
