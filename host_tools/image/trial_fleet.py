"""A cluster for the trial of an image: the node as it is in deploy/, and one neighbour on this machine.

The image is tried as it is but for its data partition: that gets keys and configurations of this cluster.
"""

import shutil
import sys
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

from ..fleet.shared import OWN_TABLES
from ..microgrid.launch import to_toml
from ..microgrid.lessons import write_past
from ..setup.debs import REPOSITORY, run
from .data import data_tree
from .disk import CardLayout, make_ext4

NEIGHBOUR, GRID_W = "neighbour", 5_000.0
_PAST, _PAST_W, _PAST_SEED = "past.csv", 30_000.0, 1
_FEW_STEPS = "first_steps = 16; least_steps = 16"  # of the first training: it takes its memory, not its time
_ANY_LOAD = 1000.0  # an emulated machine is always busy
_HOST = "10.0.2.2"  # this machine as an emulated one sees it
OUTSIDE = 8883


class TrialFleet:
    """What `provision` made for the two, under `folder`."""

    def __init__(self, name: str, folder: Path, node_port: int, neighbour_port: int, past_days: int) -> None:
        """`node_port` is where this machine reaches the node's broker, `neighbour_port` the neighbour's.

        A node without past days has nothing to be trained on for hours.
        """
        self.name = name
        self.operator = folder / "operator"
        self.neighbour_root = (folder / "neighbour").resolve()
        self._folder = folder
        self._ports = node_port, neighbour_port
        self._past_days = past_days

    def make(self) -> None:
        """Keys, certificates, configurations. Raises SetupError."""
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
        """As in deploy/, but for whom it sends to; read often, and with a past: so that a trial is short."""
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
            "node_options": _FEW_STEPS,
            "cluster_options": _FEW_STEPS,
            "pause_load": _ANY_LOAD,
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
        run(
            [
                sys.executable,
                "-m",
                "host_tools",
                "provision",
                name,
                "--deploy",
                str(self._folder / "deploy"),
                "--keys",
                str(self._folder / "keys"),
                "--out",
                str(self._folder / out),
                "--root",
                str(root),
            ],
            cwd=REPOSITORY,
        )

    def _install_neighbour(self) -> None:
        """Its files where its configuration says; its broker outside is not on the port of real nodes."""
        made, data = self._folder / "fleet" / NEIGHBOUR, self.neighbour_root / "data"
        for name in ("config", "keys"):
            shutil.copytree(made / name, data / "edge" / name)
        shutil.copytree(made / "keys", data / "mosquitto/keys")
        broker = data / "edge/config/mosquitto.conf"
        text = broker.read_text().replace(f"listener {OUTSIDE}", f"listener {self._ports[1]}")
        broker.write_text(text.replace("user mosquitto", "user root"))

    def put_on(self, card: Path) -> None:
        """Give the card a data partition of this cluster. Raises SetupError."""
        layout, work = CardLayout(), self._folder / "card"
        (work / "root/etc").mkdir(parents=True)
        partition = layout.root
        run(
            [
                "dd",
                f"if={card}",
                f"of={work / 'root.ext4'}",
                "bs=1M",
                f"skip={partition.start_mib}",
                f"count={partition.size_mib}",
                "conv=sparse",
            ]
        )
        accounts = run(["debugfs", "-R", "cat /etc/passwd", str(work / "root.ext4")])
        (work / "root/etc/passwd").write_text(accounts)
        data_tree(self._folder / "fleet" / self.name, work / "root", work / "data")
        make_ext4(work / "data", layout.data, work / "data.ext4", journal=True)
        run(
            [
                "dd",
                f"if={work / 'data.ext4'}",
                f"of={card}",
                "bs=1M",
                f"seek={layout.data.start_mib}",
                "conv=notrunc",
            ]
        )
        shutil.rmtree(work)


def _sections_of_all() -> dict[str, Any]:
    """What deploy/ gives to all nodes, but for what is of the cluster itself."""
    shared = tomllib.loads((REPOSITORY / "deploy/fleet.toml").read_text())
    return {name: section for name, section in shared.items() if name not in OWN_TABLES}
