"""The trial of Home Assistant (`make ha-test`), and the rules of its discovery as data."""
