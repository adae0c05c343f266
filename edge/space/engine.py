"""The law engine: driven by the tick each second and the reaction to what changed (thesis 5.1.3)."""

from .agent import KEEP_S, Agent, Bond
from .courier import Courier
from .errors import SpaceFull
from .laws import Law, standard_laws
from .names import NIL
from .rings import DirtyRing
from .tuplespace import SELF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .merged import Merged
    from .tuplespace import TupleSpace

MAX_ROUNDS = 32  # of one reaction, for any number of nodes: the rest waits for the next, 20 ms later


class Engine:
    """Runs the laws of one space over its local agents."""

    def __init__(
        self, space: "TupleSpace", courier: "Courier | None" = None, laws: "list[Law] | None" = None
    ) -> None:
        self.space = space
        self.courier = Courier() if courier is None else courier
        self.laws = standard_laws() if laws is None else laws
        self.bond = Bond(space)
        self.reactions = 0
        self.faults = 0
        self.last_fault = ""
        self.merged: dict[tuple[int, str], Merged] = {}  # by handle and label: kept by the aggregation law
        self._agents: list[Agent | None] = [None] * space.limits.lsas  # by slot of their LSA
        self._stirred = DirtyRing(space.limits.lsas)  # slots of agents that act at the end of a round

    def add(self, agent: Agent) -> None:
        """Add an agent; it is told what is there already. Raises NotOwner, SpaceFull."""
        space = self.space
        if not space.labels.fits(set(agent.wants)):
            raise SpaceFull("table of labels is full (%d)" % space.labels.capacity)
        agent.joined(self)
        self._agents[agent.handle & 0xFFFF] = agent
        for label in agent.wants:
            new = space.observe(label, agent)
            p = space.label_first[space.labels.find(label)] if new else NIL
            while p != NIL:
                following = space.p_label_next[p]
                if not space.changed.waits(p) and not space.passes(p):  # else the bonding law will tell it
                    self.bond.turn_to(p)
                    self.notify(agent, p)
                p = following

    def remove(self, agent: Agent) -> None:
        """Remove an agent: its LSA leaves and its observers are told. Does nothing when it has left."""
        if not agent.handle:
            return
        self._agents[agent.handle & 0xFFFF] = None
        self.space.disregard(agent)
        if self.space.find(agent.name) == agent.handle:
            self.space.remove(agent.handle)
        try:
            agent.left()
        except Exception as error:
            self.fault(agent, error)

    def agent_at(self, slot: int) -> "Agent | None":
        """The local agent whose LSA is in a slot."""
        return self._agents[slot]

    def agents(self) -> "list[Agent]":
        """The local agents, in the order of their slots."""
        return [agent for agent in self._agents if agent is not None]

    @property
    def stirred(self) -> bool:
        """Whether a reaction has something to do."""
        space = self.space
        return bool(
            space.changed.count
            or space.dirty.count
            or space.departed.count
            or space.tombstones.count
            or space.near.count
            or self._stirred.count
        )

    def tick(self) -> None:
        """One second has passed."""
        for law in self.laws:
            law.tick(self)
        slot = self.space.origins.first[SELF]
        while slot != NIL:
            following = self.space.lsa_next[slot]
            agent = self._agents[slot]
            if agent is not None:
                self.age(agent, slot)
            slot = following

    def react(self) -> bool:
        """Run the laws on what changed until nothing more follows here, then spread the result. Returns
        whether an agent acted."""
        self.reactions += 1
        acted = False
        for _ in range(MAX_ROUNDS):
            for law in self.laws:
                law.react(self)
            if not self._act():
                break
            acted = True
        for law in self.laws:
            law.settle(self)
        return acted

    @property
    def has_work(self) -> bool:
        """Whether a law has begun something that may wait until nothing else is due."""
        return any(law.has_work for law in self.laws)

    def work(self) -> None:
        """Do a few milliseconds of it; not during a reaction."""
        for law in self.laws:
            if law.has_work:
                law.work(self)
                return

    def notify(self, agent: Agent, p: int) -> None:
        """Bond an agent with a property, to which `bond` was turned, unless it is its own or addressed to
        another."""
        if not agent.handle:
            return
        space = self.space
        query = space.p_query[p]
        own = space.lsa_name[agent.handle & 0xFFFF]
        if space.p_owner[p] == own or (query and query != own):
            return
        if self.bond.property != p:  # the agent that was told before has added another one
            self.bond.turn_to(p)
        try:
            if agent.bonded(self.bond) is False:
                return
        except Exception as error:  # a faulty twin must not stop the engine
            self.fault(agent, error)
        self.stir(agent)

    def tell_departure(self, agent: Agent, name: str) -> None:
        """An LSA with something the agent wants has left."""
        if not agent.handle:
            return
        try:
            agent.decayed(name, 0)
        except Exception as error:
            self.fault(agent, error)
        self.stir(agent)

    def tell_aggregated(self, agent: Agent, label: str) -> None:
        """The agent has a new result, or has lost it."""
        try:
            agent.aggregated(label)
        except Exception as error:
            self.fault(agent, error)
        self.stir(agent)

    def tell_missed(self, agent: Agent, label: str, source: str) -> None:
        """A source of an aggregate of the agent is gone."""
        try:
            agent.missed(label, source)
        except Exception as error:
            self.fault(agent, error)

    def tell_spread(self, agent: Agent, version: int) -> None:
        """The agent's LSA went out to neighbours."""
        try:
            agent.spread(version)
        except Exception as error:
            self.fault(agent, error)

    def age(self, agent: Agent, slot: int) -> None:
        """An agent's own LSA is a tick older; the agent shows that it lives by renewing it."""
        try:
            life_s = self.space.life_s(slot)
            agent.decayed(agent.name, life_s)
            if agent.waiting or 2 * life_s < KEEP_S:
                agent.renew()
        except Exception as error:
            self.fault(agent, error)
        if agent.restless:
            self.stir(agent)

    def stir(self, agent: Agent) -> None:
        """Have the agent act at the end of this round."""
        if agent.handle:
            self._stirred.push(agent.handle & 0xFFFF)

    def fault(self, agent: Agent, error: Exception) -> None:
        """An agent raised an exception; the node continues."""
        self.faults += 1
        self.last_fault = "%s: %s: %s" % (agent.name, type(error).__name__, error)

    def _act(self) -> bool:
        count = len(self._stirred)  # agents stirred meanwhile act in the next round
        for _ in range(count):
            agent = self._agents[self._stirred.pop()]
            if agent is not None:
                try:
                    agent.act()
                except Exception as error:
                    self.fault(agent, error)
        return count > 0
