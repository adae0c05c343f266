"""The microgrid of an hour in the field, and how each kind of trouble changes it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

from edge.meter import load_profile
from edge.meter.reading import Reading
from edge.net.settings import NeighbourSettings
from host_tools.meter.installation import SHARES
from host_tools.world import LinkQuality, World, WorldNode

from .draw import ON_LINES, Field, Site, Trial
from .line import Habits
from .meters import FieldMeters

LATENCY_S = 0.02
_GOOD = LinkQuality(latency_s=LATENCY_S)


class Stage:
    """Real nodes on virtual lines and links; trials begin and end by themselves as time passes."""

    def __init__(self, field: Field, listen: Callable[[str, Reading], None]) -> None:
        """`listen` gets the name of a node and each reading that it gets."""
        self.field = field
        self.world = World(field.seed, LATENCY_S)
        self.lines: dict[str, FieldMeters] = {}
        self._now: list[Trial] = []
        self._down: set[int] = set()  # the ids of trials that hold their link down at the moment
        self._left_out: dict[str, list[NeighbourSettings]] = {}  # neighbours that a node should list
        for site in field.sites:
            self._add(site, listen)
        self.world.boot()
        for trial in field.trials:
            self.world.after(trial.from_s, lambda trial=trial: self._begin(trial))  # type: ignore[misc]
            self.world.after(trial.to_s, lambda trial=trial: self._end(trial))  # type: ignore[misc]

    def measured_w(self, node: str, device: str, at_s: float) -> float:
        """What the meter input `device` shows at that moment."""
        address, input_ = int(device.partition(".")[0][1:]), device.partition(".")[2]
        site = next(each for each in self.field.sites if each.name == node)
        share = 1.0 if input_ == "total" else SHARES[3][input_]
        return share * self._power_w(site, address, at_s)

    def inputs(self, node: str) -> list[str]:
        """The inputs of all meters of a node."""
        site = next(each for each in self.field.sites if each.name == node)
        return [
            f"m{address}.{input_}"
            for address, profile in site.meters.items()
            for input_ in load_profile(profile).inputs
        ]

    def links(self) -> Iterator[tuple[str, str]]:
        """All links as they are meant to be, each direction by itself."""
        for site in self.field.sites:
            for peer in site.neighbours:
                yield site.name, peer

    def node(self, name: str) -> WorldNode:
        """One node."""
        return self.world.nodes[name]

    # ---- the installation -----------------------------------------------------------------------

    def _add(self, site: Site, listen: Callable[[str, Reading], None]) -> None:
        twins = [
            {
                "name": f"d{address}",
                "kind": site.kinds[address],
                "input": f"m{address}.total",
                "connection": "own",
            }
            for address in site.meters
        ]
        meters = [
            {
                "name": f"m{address}",
                "bus": "bus",
                "address": address,
                "profile": profile,
                "power_period_s": site.period_s,
            }
            for address, profile in site.meters.items()
        ]
        node = self.world.add(site.name, site.neighbours, twins, meters=meters)
        node.meters = self.lines[site.name] = FieldMeters(
            self.world,
            node.config,
            lambda address, now_s: self._power_w(site, address, now_s),
            random.Random(f"line/{self.field.seed}/{site.name}"),
            lambda reading: listen(site.name, reading),
        )

    def _power_w(self, site: Site, address: int, now_s: float) -> float:
        """Slow enough that the moment within a poll does not matter."""
        base_w = 2500.0 if site.kinds[address] == "pv" else 700.0
        power_w = base_w + 20.0 * address + now_s / 100
        for trial in self.field.trials:
            if (trial.node, trial.address) == (site.name, address) and trial.from_s <= now_s < trial.to_s:
                if trial.kind == "wrong_sign":
                    power_w = -power_w
                elif trial.kind in ("not_a_number", "infinite", "out_of_range"):
                    return trial.value
        return power_w

    # ---- trials ---------------------------------------------------------------------------------

    def _begin(self, trial: Trial) -> None:
        self._now.append(trial)
        network = self.world.network
        match trial.kind:
            case "stale":
                network.wire(trial.node, trial.peer).stale = True
            case "unsubscribed":
                network.unsubscribe(trial.node)
            case "unlisted":
                self._list(trial.peer)
            case "flapping" | "flapping_dropped":
                self._flap(trial)
            case "broker_stalled":
                self.world.after(trial.value, self._arrange)  # its clients notice it by then
            case "lapsed":
                self._renewing(trial, lambda: None)
        self._arrange()
        if trial.kind in ON_LINES:
            self._arrange_line(trial)

    def _end(self, trial: Trial) -> None:
        self._now.remove(trial)
        self._down.discard(id(trial))
        if trial.kind == "unlisted":
            self._list(trial.peer)
        if trial.kind == "lapsed":
            self._renewing(trial, None)
        self._arrange()
        if trial.kind in ON_LINES:
            self._arrange_line(None, trial.node)

    def _flap(self, trial: Trial) -> None:
        """Down, up, down ... each for `value` seconds."""
        if trial in self._now:
            self._down ^= {id(trial)}
            self._arrange()
            self.world.after(trial.value, lambda: self._flap(trial))

    def _list(self, name: str) -> None:
        """Somebody edits the neighbours of a node and starts it again."""
        node = self.node(name)
        missing = {each.node for each in self._now if each.kind == "unlisted" and each.peer == name}
        site = next(each for each in self.field.sites if each.name == name)
        whole = {each.name: each for each in (*node.config.neighbours, *self._left_out.get(name, ()))}
        listed = tuple(whole[each] for each in site.neighbours if each not in missing)
        self._left_out[name] = [whole[each] for each in missing]
        node.stop()
        node.meters.stop()
        node.config = replace(node.config, neighbours=listed)
        node.boot()

    def _renewing(self, trial: Trial, renew: Callable[[], None] | None) -> None:
        """A twin does not renew its LSA, or does so again."""
        node = self.node(trial.node).node
        for twin in node.twins:
            if twin.short_name == f"d{trial.address}":
                if renew:
                    twin.renew = renew  # type: ignore[method-assign]
                else:
                    twin.__dict__.pop("renew", None)

    def _arrange(self) -> None:
        """Bring all links and brokers into the state that the present trials demand."""
        network, now_s = self.world.network, self.world.clock.now_s()
        for name in self.world.nodes:
            down = any(
                each.node == name and (each.kind == "broker_down" or _noticed(each, now_s))
                for each in self._now
            )
            if down != network.is_down(name):
                (network.take_broker if down else network.give_broker)(name)
        for a, b in self.links():
            here = [each for each in self._now if (each.node, each.peer) in ((a, b), (b, ""))]
            cut = any(
                each.kind in ("refused", "broker_down") or id(each) in self._down or _noticed(each, now_s)
                for each in here
            )
            network.set_quality(a, b, _quality(here))
            if cut == network.wire(a, b).whole:
                (network.cut if cut else network.heal)(a, b)

    def _arrange_line(self, begun: Trial | None, name: str = "") -> None:
        """A stalled adapter stays so until its port is opened, or the trial is over."""
        name = begun.node if begun else name
        line, before = self.lines[name].line, self.lines[name].line.habits
        line.habits = Habits()
        line.plugged = True
        for trial in self._now:
            if trial.node == name:
                line.plugged = line.plugged and trial.kind != "unplugged"
                if trial.kind != "stalled" or trial is begun or before.stalled:
                    trial.apply(line.habits)


def _noticed(trial: Trial, now_s: float) -> bool:
    """Whether a broker is stalled for so long that its clients have given it up."""
    return trial.kind == "broker_stalled" and now_s >= trial.from_s + trial.value - 1e-6


def _quality(trials: list[Trial]) -> LinkQuality:
    """The quality of one direction."""
    quality = _GOOD
    for trial in trials:
        match trial.kind:
            case "dropped" | "flapping_dropped" | "blocked" | "broker_stalled":
                quality = replace(quality, loss=1.0)
            case "damaged":
                quality = replace(quality, corrupt=1.0)
            case "slow":
                quality = replace(quality, latency_s=max(quality.latency_s, trial.value))
            case "lossy":
                quality = replace(
                    quality,
                    loss=max(quality.loss, trial.value),
                    duplicate=0.1,
                    corrupt=max(quality.corrupt, 0.05),
                    delay=0.2,
                    max_delay_s=2.0,
                )
    return quality
