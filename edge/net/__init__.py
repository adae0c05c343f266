"""Links between nodes: frames, the digest that heals them, MQTT and in-memory wires (thesis 5.1.3.2)."""
