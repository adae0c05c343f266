"""A Home Assistant core in this process, driven by lines of JSON on standard input.

It runs in a virtual environment of its own, with nothing of this project, as `python core.py FOLDER BROKER
PAGES [SECURE KEYS]`: the folder of its configuration, the port of the broker, a port for its own pages, and
to connect with TLS that port and a folder with `ca.crt`, `client.crt` and `client.key`. Each line is a list,
a command and its arguments; each answer is a line that begins with `answer `.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

from homeassistant import bootstrap, config_entries, core, loader
from homeassistant.auth import auth_manager_from_config
from homeassistant.const import __version__
from homeassistant.helpers import device_registry, entity_registry, recorder
from homeassistant.setup import async_setup_component

SAID: list[str] = []  # warnings and errors of its MQTT and energy


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("homeassistant.components.mqtt", "homeassistant.components.energy")):
            SAID.append(f"{record.name}: {record.getMessage()}"[:500])


async def start(folder: Path, broker: int, pages: int, secure: int = 0, keys: str = "") -> Any:
    """A running core, connected to the broker."""
    hass = core.HomeAssistant(str(folder))
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth_manager_from_config(hass, [], [])
    recorder.async_initialize_recorder(hass)
    web = {"server_host": ["127.0.0.1"], "server_port": pages}
    for name, settings in (("http", web), ("recorder", {"commit_interval": 1}), ("mqtt", {}), ("energy", {})):
        if not await async_setup_component(hass, name, {name: settings}):
            raise SystemExit(f"{name} cannot be set up")
    await hass.async_start()
    if not hass.config_entries.async_entries("mqtt"):
        flow = await hass.config_entries.flow.async_init("mqtt", context={"source": "user"})
        found = await hass.config_entries.flow.async_configure(
            flow["flow_id"], {"broker": "127.0.0.1", "port": broker}
        )
        if found["type"] != "create_entry":
            raise SystemExit(f"the broker is not accepted: {found}")
        if keys:
            (entry,) = hass.config_entries.async_entries("mqtt")
            await hass.config_entries.async_unload(entry.entry_id)
            hass.config_entries.async_update_entry(entry, data={**entry.data, **_secured(secure, Path(keys))})
            await hass.config_entries.async_setup(entry.entry_id)
    return hass


def _secured(port: int, keys: Path) -> dict[str, Any]:
    """What the dialog stores of the files that a user uploads."""
    names = {"certificate": "ca.crt", "client_cert": "client.crt", "client_key": "client.key"}
    return {"port": port} | {option: (keys / name).read_text() for option, name in names.items()}


def entities(hass: Any) -> list[dict[str, Any]]:
    """All entities of MQTT, with what is known of each."""
    devices, found = device_registry.async_get(hass), []
    for entry in entity_registry.async_get(hass).entities.values():
        if entry.platform != "mqtt":
            continue
        device = devices.async_get(entry.device_id)
        via = devices.async_get(device.via_device_id) if device and device.via_device_id else None
        state = hass.states.get(entry.entity_id)
        found.append(
            {
                "entity": entry.entity_id,
                "unique_id": entry.unique_id,
                "enabled": entry.disabled_by is None,
                "device": device.name if device else None,
                "via": via.name if via else None,
                "state": state.state if state else None,
                "unit": state.attributes.get("unit_of_measurement") if state else None,
            }
        )
    return found


async def enable(hass: Any) -> None:
    """Enable every entity, as a user can, and load MQTT again."""
    registry = entity_registry.async_get(hass)
    for entry in list(registry.entities.values()):
        if entry.platform == "mqtt" and entry.disabled_by is not None:
            registry.async_update_entity(entry.entity_id, disabled_by=None)
    (entry,) = hass.config_entries.async_entries("mqtt")
    await hass.config_entries.async_reload(entry.entry_id)


async def validate(hass: Any, preferences: dict[str, Any]) -> dict[str, Any]:
    """What the validation of the Energy dashboard says of these preferences."""
    from homeassistant.components.energy.data import async_get_manager
    from homeassistant.components.energy.validate import async_validate
    from homeassistant.components.recorder import get_instance
    from homeassistant.components.recorder.tasks import StatisticsTask
    from homeassistant.util import dt

    now = dt.utcnow()
    begins = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    get_instance(hass).queue_task(StatisticsTask(begins, False))
    await get_instance(hass).async_block_till_done()
    manager = await async_get_manager(hass)
    await manager.async_update(preferences)
    found: dict[str, Any] = json.loads(json.dumps((await async_validate(hass)).as_dict(), default=str))
    return found


async def call(hass: Any, domain: str, service: str, entity: str) -> None:
    """Call a service for one entity."""
    await hass.services.async_call(domain, service, {"entity_id": entity}, blocking=True)


async def main() -> None:
    """Serve commands until `stop`."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger().addHandler(_Listener(logging.WARNING))
    folder, broker, pages, *secure = sys.argv[1:]
    more = (int(secure[0]), secure[1]) if secure else ()
    hass = await start(Path(folder), int(broker), int(pages), *more)
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    _say(__version__)
    while line := await asked.readline():
        command, *arguments = json.loads(line)
        if command == "stop":
            break
        if command == "entities":
            _say(entities(hass))
        elif command == "enable":
            await enable(hass)
            _say(None)
        elif command == "validate":
            _say(await validate(hass, *arguments))
        elif command == "call":
            await call(hass, *arguments)
            _say(None)
        elif command == "said":
            _say(SAID)
    await hass.async_stop(force=True)
    _say(None)


def _say(content: Any) -> None:
    print("answer", json.dumps(content), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
