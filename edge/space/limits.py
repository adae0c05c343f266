"""How much a space holds: the sizes of its arrays, fixed at boot."""

from .names import NIL


class Limits:
    """Sizes of one space; they decide its memory. Raises ValueError for more than its arrays can address."""

    __slots__ = (
        "heap_bytes",
        "labels",
        "labels_per_node",
        "lsas",
        "names",
        "nodes",
        "own_percent",
        "properties",
        "properties_per_lsa",
        "specs",
        "value_bytes",
    )

    def __init__(
        self,
        lsas: int = 256,
        properties: int = 0,
        heap_bytes: int = 0,
        names: int = 0,
        labels: int = 48,
        nodes: int = 32,
        value_bytes: int = 4096,
        properties_per_lsa: int = 10,
        own_percent: int = 0,
        labels_per_node: int = -1,
    ) -> None:
        self.lsas = lsas
        self.properties = properties or 4 * lsas
        self.heap_bytes = heap_bytes or 512 * lsas
        self.names = names or 2 * lsas + 64
        self.labels = labels
        self.nodes = nodes
        self.value_bytes = value_bytes
        self.properties_per_lsa = properties_per_lsa
        self.own_percent = own_percent  # of everything, for local agents
        self.labels_per_node = (
            labels if labels_per_node < 0 else labels_per_node
        )  # unknown ones that another node may bring
        self.specs = 2 * lsas  # aggregations that LSAs of other nodes ask for
        if max(lsas, self.properties, self.names) >= NIL or value_bytes > NIL:
            raise ValueError("at most %d LSAs, properties, names, and bytes of a value" % (NIL - 1))
        if max(labels, properties_per_lsa) >= 256:
            raise ValueError("at most 255 labels, and properties of an LSA")
