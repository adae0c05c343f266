"""How a running node comes to have the twins and neighbours of another configuration."""

import logging
from collections.abc import Collection

from ..config.settings import NodeConfig
from ..node import Node
from ..space.errors import SpaceError


def adopt(node: Node, config: NodeConfig, stopped: Collection[str]) -> None:
    """Have the twins, neighbours and the other settings of `config` that can change (`RUNNING`), and stop the
    twins with these names; in the main thread.

    Nothing else of it may differ. Raises TwinError, SpaceError, ValueError, OSError.
    """
    _adopt_neighbours(node, config)
    _adopt_twins(node, config)
    for twin in node.prosumers:
        if twin.short_name in stopped and not twin.held:
            twin.hold()
        elif twin.held and twin.short_name not in stopped:
            twin.restart()
    if config.community != node.config.community:
        node.adopt_rules(config.community)
    if config.node.log_level != node.config.node.log_level:
        logging.getLogger().setLevel(config.node.log_level.upper())
    node.adjust(config)


def _adopt_twins(node: Node, config: NodeConfig) -> None:
    wanted = {each.name: each for each in config.twins}
    for twin in node.prosumers:
        if twin.short_name not in wanted:
            node.retire(twin)
    known = {twin.short_name: twin for twin in node.prosumers}
    for name, settings in wanted.items():
        if name not in known:
            node.enroll(settings.kind, settings, {})
        elif settings != known[name].settings and settings.run:
            node.retire(known[name])  # its run is planned again
            node.enroll(settings.kind, settings, {})
        elif settings != known[name].settings:
            known[name].adjust(settings)


def _adopt_neighbours(node: Node, config: NodeConfig) -> None:
    wanted = {each.name: each for each in config.neighbours}
    known = {each.name: each for each in node.config.neighbours}
    for name, settings in known.items():
        if wanted.get(name) != settings and name in node.links.neighbours:
            node.gateway.exclude(name)
            node.links.exclude(name)
    for name, settings in wanted.items():
        if known.get(name) != settings:
            node.links.include(settings)
            try:
                node.gateway.include(name)
            except SpaceError:
                node.links.exclude(name)
                raise
