"""The cluster of an image trial: the node as in deploy/ and one neighbour on this machine.

Only the data partition of the image is replaced, by the keys and configurations of this cluster.
"""

import shutil
import sys
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

from ..fleet.shared import OWN_TABLES
from ..microgrid.launch import to_toml
from ..microgrid.lessons import ANY_LOAD, FEW_STEPS, write_past
from ..setup.debs import REPOSITORY, run
from .data import data_tree
from .disk import CardLayout, make_ext4

NEIGHBOUR, GRID_W = "neighbour", 5_000.0
_PAST, _PAST_W, _PAST_SEED = "past.csv", 30_000.0, 1

_HOST = "10.0.2.2"  # the address of this machine in the emulator
OUTSIDE = 8883


class TrialFleet:
    """The output of `provision` for both nodes, below `folder`."""

    def __init__(self, name: str, folder: Path, node_port: int, neighbour_port: int, past_days: int) -> None:
        """`node_port`: the node's broker as seen from this machine; `neighbour_port`: the neighbour's broker.

        Without past days the node has nothing to train on for hours.
        """
        self.name = name
        self.operator = folder / "operator"
        self.neighbour_root = (folder / "neighbour").resolve()
        self._folder = folder
        self._ports = node_port, neighbour_port
        self._past_days = past_days

    def make(self) -> None:
        """Make keys, certificates and configurations. Raises SetupError."""
        deploy = self._folder / "deploy"
        (deploy / "nodes").mkdir(parents=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "trial", "-f", str(self.operator)])
        shared = _sections_of_all() | {
            "cluster": {"name": "trial", "port": OUTSIDE},
            "operator": {"public_keys": [str(self.operator.with_suffix(".pub").resolve())]},
            "hosts": {self.name: ["127.0.0.1"], NEIGHBOUR: [_HOST]},
        }
        (deploy / "fleet.toml").write_text(to_toml(shared))
        for name, raw in ((self.name, self._node()), (NEIGHBOUR, self._neighbour())):
            (deploy / f"nodes/{name}.toml").write_text(to_toml(raw))
        self._provision(self.name, "fleet", Path("/"))
        if self._past_days:
            past = self._folder / "fleet" / self.name / "config" / _PAST
            write_past(past, self._past_days, datetime.now(), _PAST_W, _PAST_SEED)
        self._provision(NEIGHBOUR, "fleet", self.neighbour_root)
        self._install_neighbour()

    def _node(self) -> dict[str, Any]:
        """As in deploy/, with another neighbour; frequent readings and past days keep the trial short."""
        raw = tomllib.loads((REPOSITORY / f"deploy/nodes/{self.name}.toml").read_text())
        raw["neighbour"] = [{"name": NEIGHBOUR, "host": _HOST, "port": self._ports[1]}]
        for meter in raw.get("meter", ()):
            meter["power_period_s"] = 1.0
        if not self._past_days:
            return raw
        past = f"/data/edge/config/{_PAST}"
        raw["learning"] = {
            "node_history": past,
            "cluster_history": past,
            "node_options": FEW_STEPS,
            "cluster_options": FEW_STEPS,
            "pause_load": ANY_LOAD,
        }
        return raw

    def _neighbour(self) -> dict[str, Any]:
        return {
            "node": {"name": NEIGHBOUR, "state_dir": "/data/edge/state"},
            "mqtt": {"port": self._ports[1] + 1},
            "api": {"port": self._ports[1] + 2},
            "neighbour": [{"name": self.name, "host": "127.0.0.1", "port": self._ports[0]}],
            "twin": [{"name": "grid", "kind": "grid", "capacity_w": GRID_W}],
        }

    def _provision(self, name: str, out: str, root: Path) -> None:
        options = {"deploy": self._folder / "deploy", "keys": self._folder / "keys"}
        options |= {"out": self._folder / out, "root": root}
        words = [word for option, path in options.items() for word in (f"--{option}", str(path))]
        run([sys.executable, "-m", "host_tools", "provision", name, *words], cwd=REPOSITORY)

    def _install_neighbour(self) -> None:
        """Install the neighbour's files as its configuration expects; its broker gets another port."""
        made, data = self._folder / "fleet" / NEIGHBOUR, self.neighbour_root / "data"
        for name in ("config", "keys"):
            shutil.copytree(made / name, data / "edge" / name)
        shutil.copytree(made / "keys", data / "mosquitto/keys")
        broker = data / "edge/config/mosquitto.conf"
        text = broker.read_text().replace(f"listener {OUTSIDE}", f"listener {self._ports[1]}")
        broker.write_text(text.replace("user mosquitto", "user root"))

    def put_on(self, card: Path) -> None:
        """Write this cluster's data partition to the card. Raises SetupError."""
        layout, work = CardLayout(), self._folder / "card"
        (work / "root/etc").mkdir(parents=True)
        partition = layout.root
        source = [f"if={card}", "bs=1M", f"skip={partition.start_mib}", f"count={partition.size_mib}"]
        run(["dd", *source, f"of={work / 'root.ext4'}", "conv=sparse"])
        accounts = run(["debugfs", "-R", "cat /etc/passwd", str(work / "root.ext4")])
        (work / "root/etc/passwd").write_text(accounts)
        made = self._folder / "fleet" / self.name
        data_tree(made, work / "root", work / "data")
        # The root of the image trusts the operator of its own cluster: here one of the trial has taken over.
        shutil.copyfile(made / "signers", work / "data/edge/signers")
        make_ext4(work / "data", layout.data, work / "data.ext4", journal=True)
        target = [f"of={card}", "bs=1M", f"seek={layout.data.start_mib}", "conv=notrunc"]
        run(["dd", f"if={work / 'data.ext4'}", *target])
        shutil.rmtree(work)


def _sections_of_all() -> dict[str, Any]:
    """The sections of deploy/fleet.toml that apply to all nodes, without those of the cluster."""
    shared = tomllib.loads((REPOSITORY / "deploy/fleet.toml").read_text())
    return {name: section for name, section in shared.items() if name not in OWN_TABLES}
