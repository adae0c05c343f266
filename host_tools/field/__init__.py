"""The field: what real installations do to nodes, drawn at random from a seed and played in virtual time.

A draw (`draw.py`) says what goes wrong in an hour, and when. A stage (`stage.py`) is a small microgrid to
which it happens: its meter lines (`line.py`, `meters.py`) and its links misbehave. A judge (`judge.py`, with
`meter_judge.py` for the meters) checks all the time what must be true.

The code under test is that of a node: beats, space, gateway, hearing, twins, the meter bus with its Modbus
master, and what `/health` shows. Only ports, links and clocks are virtual. So these do not run here:

- The MQTT connections (edge/net: connection, mqtt, neighbour, inbox) have the threads of paho, and brokers
  are programs of their own. Here a link takes frames, loses them, or says that it is down, as they would.
  tests/field/test_real_brokers.py puts the same nodes on real brokers that drop, stall, restart and refuse.
- Serial drivers: tests/meter runs the same bus on pseudo terminals.
- Threads and mailboxes of the service: tests/service and tests/system.
"""
