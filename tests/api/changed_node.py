"""A node of a virtual world with its HTTP interface, whose calls wait for nobody."""

from asked_node import AskedNode

from edge.api.access import Access, Caller
from edge.api.dispatch import Api, Asked
from edge.config.changes import Changes
from edge.service.adoption import adopt
from edge.service.changing import Changing
from host_tools.world.world import World

TOKENS = {"read": "r" * 20, "operate": "o" * 20, "configure": "c" * 20}


class ChangedNode(AskedNode):
    """One node, `gym`, and `school` beside it if it is wanted."""

    def __init__(self, twins, neighbours=(), world=None, **limits):
        self.world = world or World(seed=1)
        place = self.world.add("gym", list(neighbours), twins, **limits)
        self.raw = {
            "node": {"name": "gym", "state_dir": str(place.config.state_dir)},
            "limits": limits,
            "neighbour": [{"name": each, "host": "virtual"} for each in neighbours],
            "twin": [dict(each) for each in twins],
        }
        place.config.state_dir.mkdir(parents=True, exist_ok=True)
        self._place = place
        self.access = Access(TOKENS, "gym")

    def boot(self):
        """Start all nodes, this one with what has been changed before."""
        changes = Changes(self.raw, "gym.toml")
        self._place.config = changes.config
        if not self._place.alive:
            self.world.boot() if not self.world.clock.now_s() else self._place.boot()
        super().__init__(self._place.node)
        self._changing = Changing(changes, self.ask)
        adopt(self.node, changes.config, changes.overlay.stopped)
        self.changes = changes
        self.api = Api(self, access=self.access)
        self.world.run(3)
        return self

    @property
    def settings_changed(self):
        return self.changes.overlay.settings

    def change(self, edit, done=lambda _: None):
        return self._changing.change(edit, done)

    def restart(self):
        """As with SIGTERM, and a new start."""
        self._place.stop()
        return self.boot()

    def say(self, method, path, body=None, scope="configure"):
        """Status and content of an answer; the node then has two seconds to act on it."""
        import orjson

        caller = Caller("127.0.0.1", scope, "token") if scope else Caller()
        asked = Asked(caller, media="application/json", read=lambda: orjson.dumps(body))
        answer = self.api.answer(method, f"/api/v1{path}", asked)
        self._place.touch(lambda _: None)
        self.world.run(2)
        return answer.status, answer.content
