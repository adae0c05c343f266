"""A service whose node answers at once: one thread is enough for what views say."""

from edge.recent import Recent


class AskedNode:
    """What views need of the service of a node."""

    failures = pieces = 0
    work_s = longest_piece_s = longest_reaction_s = 0.0
    waits_for = ""
    recent = Recent()
    dropped = {"frames": 0, "links": 0, "readings": 0}

    settings_changed: dict = {}

    def __init__(self, node=None):
        self.node = node

    def ask(self, question):
        return question(self.node)
