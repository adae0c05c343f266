"""The parts of an image trial: the emulated machine, its card, its meters and its neighbour.

The root and boot partitions of the card are those of the image. Its data partition is created for a separate
cluster, in which this machine is the neighbour.
"""

import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

from edge.config.check import load

from ..broker import free_port
from ..meter.terminal import SimulatedMeter
from ..setup.debs import run
from .disk import MIB
from .emulate import Emulator, Machine
from .guest import Guest
from .neighbour import Neighbour
from .trial_fleet import OUTSIDE, TrialFleet

CARD_MIB = 1024  # larger than the image, so that the data partition has to grow
_POWER_W = 400.0  # initial power of the meters, plus 50 W times the address
_SSH, _API_OFFSET = 22, 2


class Trial:
    """One machine, one card, one cluster, and the measurements."""

    def __init__(
        self,
        name: str,
        machine: Machine,
        source: Path,
        folder: Path,
        seed: int = 1,
        cuts: int = 0,
        past_days: int = 1,
    ) -> None:
        """`source`: the image, copied to `folder`; `seed`: for the times of the power `cuts`.

        The node starts with `past_days` of training data.
        """
        self.machine = machine
        self.card = folder / "sd.img"
        self.folder = folder
        self.report: dict[str, Any] = {"machine": self.machine.name}
        self.swing_w = 0.0
        self.cuts = cuts
        self.rng = random.Random(seed)
        self._source = source
        self.name = name
        ssh_port, mqtt_port, neighbour_port = free_port(), free_port(), free_port()
        self._fleet = TrialFleet(name, folder, mqtt_port, neighbour_port, past_days)
        self._forwards = {ssh_port: _SSH, mqtt_port: OUTSIDE}
        self.guest = Guest(ssh_port, self._fleet.operator, folder / "known_hosts")
        self.neighbour = Neighbour(
            self._fleet.neighbour_root,
            neighbour_port + _API_OFFSET,
            shutil.which("mosquitto", path="/usr/sbin:/usr/bin") or "mosquitto",
        )

    def prepare(self) -> None:
        """Make a card larger than the image, with the trial's data. Raises SetupError."""
        run(["cp", "--sparse=always", str(self._source), str(self.card)])
        os.truncate(self.card, CARD_MIB * MIB)
        self._fleet.make()
        self._fleet.put_on(self.card)

    def meter(self) -> SimulatedMeter:
        """The simulated meters of the node's configuration, at the speed of the line."""
        config = load(self.folder / f"fleet/{self.name}/config/node.toml")
        began_s = time.monotonic()

        def power_w(address: int, now_s: float) -> float:
            step = int((time.monotonic() - began_s) / 3) % 4
            return _POWER_W + 50.0 * address + self.swing_w * step

        return SimulatedMeter({each.address: each.profile for each in config.meters}, power_w, baud=9600)

    def emulator(self, meter: SimulatedMeter) -> Emulator:
        """The machine with the card."""
        return Emulator(self.machine, self.card, self.folder, Path(meter.port).resolve(), self._forwards)
