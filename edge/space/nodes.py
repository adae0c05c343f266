"""Which nodes a space knows: its neighbours, those that live elsewhere, and those on paths (thesis 5.1.3)."""

from .names import NIL
from .origins import checksum
from .properties import Properties
from .room import NODES
from .slots import SELF


class Nodes(Properties):
    """What is held of other nodes, and by which neighbour they are known."""

    def set_neighbours(self, names: "list[str]") -> None:
        """Say which nodes this one sends to. Raises SpaceFull."""
        for name in names:
            number = self.nodes.acquire(name)
            if self.origins.known(number):  # it takes no room of the neighbour that brought it any more
                self._brought_by(number, 0)
                self.room.count(NODES, 0, -1)
            self.neighbours_mask |= 1 << number
            self.neighbours.append(name)
        self.room.neighbours = len(self.neighbours)

    def drop_neighbour(self, name: str) -> None:
        """This node does not send to another any more."""
        number = self.nodes.find(name)
        self.neighbours.remove(name)
        others = ~(1 << number)
        self.neighbours_mask &= others
        self.shunned &= others
        self.room.neighbours = len(self.neighbours)
        for slot in range(self.limits.lsas):
            self.lsa_sent[slot] &= others
            self.lsa_based[slot] &= others
        for origin in range(self.nodes.capacity):
            if self.origins.via[origin] == number and self.origins.known(origin):
                self._brought_by(origin, 0)
        self.origins.lose_ways(number)
        if self.origins.known(number):
            self.origins.via[number] = 0
            self.room.count(NODES, 0, 1)
        self.nodes.release(number)

    def _brought_by(self, origin: int, via: int) -> None:
        """The place of a known node counts for another neighbour from now on."""
        self.room.count(NODES, self.origins.via[origin], -1)
        self.room.count(NODES, via, 1)
        self.origins.via[origin] = via

    def hops_towards(self, node: str, kept: bool) -> int:
        """The neighbours through which a node is reached, as a node set.

        It is the one from which the newest message of that node came. If none came lately, nor an answer to
        what was sent, it is all that are not shunned: what finds its way then, and the answer, make a way
        known. What is not `kept` lives for some seconds only, such as an offer to somebody who waits and
        says so each minute: that goes by the last way that is known.
        """
        number = self.nodes.find(node)
        way = 0 if number == NIL else self.origins.way[number]
        if not way or (kept and not self.origins.trusts_way(number, self.tick)):
            shunned = self.shunned & ~self.node_bit(node)
            return self.neighbours_mask & ~shunned or self.neighbours_mask
        return 1 << way

    def lose_ways(self, neighbour: str) -> None:
        """The link to a neighbour is lost: other ways are found."""
        self.origins.lose_ways(self.nodes.find(neighbour))

    def shun(self, neighbours: "list[str]") -> None:
        """What these pass on is not taken now. So nothing goes to others by them: answers would be lost, and
        those who answer learn another way."""
        before, self.shunned = self.shunned, self.neighbours_mask & self.node_set(neighbours)
        for name in neighbours:
            if self.shunned & ~before & self.node_bit(name):
                self.lose_ways(name)

    def came_from(self, origin: int, sender: str, hops: int) -> None:
        """Something new of an origin has come from a neighbour, after so many hops."""
        via = self._via(sender)
        if via != origin:
            if self.shunned >> via & 1:
                return
            hops = max(hops, 2)  # it may say less
        self.origins.came_by(origin, via, hops, self.tick)

    def silence_s(self, node: str) -> int:
        """How long nothing new has come from another node."""
        number = self.nodes.find(node)
        return self.tick if number == NIL else self.tick - self.origins.heard[number]

    def is_neighbour(self, name: str) -> bool:
        """Whether this node sends to a node of that name."""
        return self.neighbours_mask & self.node_bit(name) != 0

    def node_bit(self, name: str) -> int:
        """The node set of one node; empty when it is unknown."""
        number = self.nodes.find(name)
        return 0 if number == NIL else 1 << number

    def node_set(self, names: "list[str]") -> int:
        """The node set of several nodes."""
        nodes = 0
        for name in names:
            nodes |= self.node_bit(name)
        return nodes

    def known_origins(self) -> int:
        """How many other nodes are known to live."""
        return sum(1 for tick in self.origins.expires if tick)

    def origin_number(self, node: str) -> int:
        """The number of this node, or of another that is known to live; else NIL."""
        number = self.nodes.find(node)
        return number if number == SELF or (number != NIL and self.origins.known(number)) else NIL

    def distances(self) -> "dict[str, int]":
        """Hops to every node that is known to live, this one included."""
        hops = {self.node: 0}
        for number in range(SELF + 1, self.nodes.capacity):
            if self.origins.known(number):
                hops[self.nodes.text(number)] = self.origins.hops[number]
        return hops

    def claim_node(self, node: str, sender: str) -> None:
        """Raise SpaceFull unless there is a place for an origin that a neighbour brings."""
        number = self.nodes.find(node)
        if number == NIL or not (self.origins.known(number) or self.neighbours_mask >> number & 1):
            if self.passed_only and self.nodes.free <= 1 + (self.limits.nodes >> 3):
                self._forget_passed()
            via = self._via(sender)
            self.room.claim(NODES, via, 1, self.nodes.free + (number != NIL))

    def travelled(self, path: "list[str]") -> "tuple[int, ...]":
        """The numbers of the nodes on a path, each with a reference; without those that find no place."""
        way = []
        for node in path:
            number = self.nodes.find(node)
            if number == NIL:
                if not self.nodes.free:
                    continue
                number = self.nodes.acquire(node)
                self.passed_only |= 1 << number
            else:
                self.nodes.share(number)
            way.append(number)
        return tuple(way)

    def _via(self, sender: str) -> int:
        number = self.nodes.find(sender)
        return number if number != NIL and self.neighbours_mask >> number & 1 else 0

    def _forget_passed(self) -> None:
        """Nodes that are known only from paths give their places to nodes that live."""
        for slot in range(self.limits.lsas):
            if self.lsa_path[slot] & self.passed_only:
                self.set_path(
                    slot, tuple([node for node in self.lsa_way[slot] if not self.passed_only >> node & 1])
                )
        self.passed_only = 0

    def roster(self, origin: int, demoted: bool = False) -> "list[tuple[str, int]]":
        """(name, version) of every LSA of an origin that other nodes may see.

        With `demoted` also those it has not shown since it restarted, as version 0.
        """
        entries = []
        slot = self.origins.first[origin]
        while slot != NIL:
            if self.lsa_version[slot] or (demoted and not self.lsa_loose[slot]):
                entries.append((self.names.text(self.lsa_name[slot]), self.lsa_version[slot]))
            slot = self.lsa_next[slot]
        return entries

    def digest(self, origin: int) -> "tuple[int, bytes]":
        """Count and checksum of the LSAs held of an origin."""
        origins = self.origins
        if origins.stale[origin]:
            origins.checksums[origin] = checksum(self.roster(origin, origin != SELF))
            origins.stale[origin] = False
        return origins.count[origin], origins.checksums[origin]

    def forget_sent(self, neighbour: str) -> None:
        """A neighbour may have restarted: it is sent whole LSAs until it has them again."""
        others = ~self.node_bit(neighbour)
        for slot in range(self.limits.lsas):
            self.lsa_based[slot] &= others
